"""Steps of the pipeline, called with their progress on the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any, ParamSpec, TypeVar

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from nightshelf.cli.tables.terminal import new_console
from tasks.pipeline import Call

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def shown_steps() -> Iterator[Call]:
    """Return a way to call steps that shows the one under way on stderr, where that is a screen."""
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    screen = new_console(stderr=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bars:

        def call(step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
            bar = bars.add_task(step.__name__, total=None)
            more: dict[str, Any] = {}
            if "progress" in signature(step).parameters:
                more["progress"] = lambda done, total: bars.update(bar, completed=done, total=total)
            try:
                return step(*args, **kwargs, **more)
            finally:
                bars.remove_task(bar)

        yield call
