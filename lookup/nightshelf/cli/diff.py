"""Command that compares two generations, before a promote or a rollback.

With ``--json`` one document; its fields are in `nightshelf.diff.document`.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from redis import Redis
from rich.console import Console
from rich.progress import Progress as ProgressBar

from nightshelf.admin.namespace_state import read_state
from nightshelf.cli.context import Context, command
from nightshelf.cli.tables.diff import show_diff
from nightshelf.contract.values import Manifest
from nightshelf.diff.compare import Comparison
from nightshelf.diff.document import Shown, figures, manifest_fields
from nightshelf.diff.read import (
    Progress,
    find_users,
    of_model,
    read_pairs,
    read_titles,
    sampled,
    standing,
)

#: Seconds after which a progress bar is shown.
PATIENCE_S = 2.0

Before = Annotated[int, typer.Argument(metavar="A", help="The generation before.", min=1)]
After = Annotated[int, typer.Argument(metavar="B", help="The generation after.", min=1)]
Top = Annotated[int, typer.Option("--top", help="How many items in each table.", min=1)]
Users = Annotated[int, typer.Option("--users", help="How many users side by side.", min=0)]
Sample = Annotated[
    int | None, typer.Option("--sample", help="How many users to read; else all.", min=1)
]

Model = Annotated[
    str | None, typer.Option("--model", help="Whose lists to compare; the default's by default.")
]

app = typer.Typer()


@command(app, epilog="Examples: nightshelf diff 42 43; nightshelf diff 42 43 --sample 5000 --json")
def diff(
    context: Context,
    a: Before,
    b: After,
    top: Top = 10,
    users: Users = 3,
    sample: Sample = None,
    model: Model = None,
) -> None:
    """Compare the lists of two generations: whose moved, which items came and went."""
    client, namespace = context.client, context.namespace
    document = _compared(client, namespace, a, b, model, top=top, n_changed=users, sample=sample)
    if context.as_json:
        context.document(**document)
    else:
        show_diff(document)


def _compared(
    client: Redis,
    namespace: str,
    a: int,
    b: int,
    model: str | None,
    *,
    top: int,
    n_changed: int,
    sample: int | None,
) -> dict[str, Any]:
    """Return the document; keys cleared during the comparison are an error, not a difference."""
    before, after = (of_model(each, model) for each in _standing(client, namespace, a, b))
    comparison = Comparison(n_changed)
    with _progress() as progress:
        found = find_users(client, namespace, before, after, progress)
        users = found if sample is None else sampled(found, sample)
        n_read = 0
        for pairs in read_pairs(client, namespace, before, after, users):
            comparison.add(pairs)
            n_read += len(pairs)
            progress("comparing users", n_read, len(users))
    shown = Shown(comparison, top)
    titles = read_titles(client, namespace, before, after, shown.items())
    _standing(client, namespace, a, b)
    return {
        **manifest_fields(before, after),
        "users_found": len(found),
        "users_read": len(users),
        **figures(comparison),
        **shown.fields(titles),
    }


def _standing(client: Redis, namespace: str, a: int, b: int) -> tuple[Manifest, Manifest]:
    state = read_state(client, namespace)
    return standing(client, state, a), standing(client, state, b)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show a transient progress bar on a terminal's stderr."""
    began = time.monotonic()
    bar = ProgressBar(console=Console(stderr=True), transient=True)
    task = bar.add_task("")

    def show(what: str, done: int, total: int) -> None:
        if sys.stderr.isatty() and time.monotonic() - began > PATIENCE_S:
            bar.start()
            bar.update(task, description=what, completed=done, total=total)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()
