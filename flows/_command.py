"""Start a flow's command, and print its error once."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from redis import RedisError
from rich.console import Console
from rich.markup import escape

from nightshelf.errors import NightshelfError


def run_command(main: Callable[..., Any]) -> None:
    """Run a flow's command line."""
    command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    command.command()(main)
    command()


@contextmanager
def plain_errors(name: str, *others: type[Exception]) -> Iterator[None]:
    """Print a known error, or one of the `others`, as `The <name> failed: ...`; exit with 1."""
    known: tuple[type[Exception], ...] = (NightshelfError, RedisError, *others)
    try:
        yield
    except known as error:
        fail(name, str(error))


def fail(name: str, text: str) -> NoReturn:
    """Print on stderr why a command failed, a line a finding, and exit with 1."""
    for line in text.splitlines():
        print_error(f"The {name} failed:", line)
    raise typer.Exit(1) from None


def print_error(heading: str, text: str) -> None:
    """Print a line on stderr, a path in it whole."""
    line = f"[bold red]{heading}[/] {escape(text)}"
    Console(stderr=True).print(line, soft_wrap=True, highlight=False)


class _PrintedAtTheEnd(logging.Filter):
    """A filter that drops Prefect's log of an error that the command prints at its end."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        retries = "Retry" in record.getMessage()
        known = isinstance(error, NightshelfError | RedisError)
        ends = ("Finished in state Failed", "Finished in state Blocked")
        return retries or not (known or record.getMessage().startswith(ends))


@contextmanager
def errors_once() -> Iterator[None]:
    """Keep known errors out of Prefect's log while the block runs."""
    printed = _PrintedAtTheEnd()
    loggers = [logging.getLogger(f"prefect.{name}") for name in ("task_runs", "flow_runs")]
    for logger in loggers:
        logger.filters.insert(0, printed)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(printed)
