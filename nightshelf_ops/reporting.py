"""Errors of a command, in a line or a document; the import of the pipeline when it runs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from nightshelf.cli.tables.terminal import show_error
from nightshelf.errors import NightshelfError


@contextmanager
def reported(*, as_json: bool) -> Iterator[None]:
    """End a command that needs no Redis with its error: a line on stderr, or a document."""
    try:
        yield
    except NightshelfError as error:
        if as_json:
            typer.echo(json.dumps({"error": str(error)}, indent=2))
        else:
            show_error(str(error))
        raise typer.Exit(1) from None


@contextmanager
def pipeline() -> Iterator[None]:
    """Raise a one-line error where the pipeline is not installed."""
    try:
        yield
    except ModuleNotFoundError as absent:
        raise NightshelfError(
            f"{absent.name} is not installed, and this command needs the pipeline: in the "
            "checkout, pip install '.[pipeline]', or make install"
        ) from None
