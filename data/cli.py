"""Shared parts of this room's commands: progress, errors in one line, the next command."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import wraps
from json import dumps
from pathlib import Path
from typing import ParamSpec

import duckdb
import typer
from rich.console import Console
from rich.table import Table

from data.schema import Imported, InputError, Report

P = ParamSpec("P")


def plain_errors(command: Callable[P, None]) -> Callable[P, None]:
    """End a command with one line on stderr and exit code 1, not with a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (InputError, OSError, duckdb.Error) as error:
            line = str(error).partition("\n")[0] if isinstance(error, duckdb.Error) else error
            print(f"error: {line}", file=sys.stderr)
            raise typer.Exit(1) from error

    return run


@contextmanager
def status(first: str) -> Iterator[Report]:
    """Show a status line on a terminal while the block runs."""
    with Console(stderr=True).status(first) as display:
        yield display.update


def show(written: Imported, namespace: str, *, json: bool = False) -> None:
    """Print an import's account of rows, its files, and the command for a night on them."""
    files = [path for path in (written.events, written.items, written.users) if path]
    if json:
        print(_as_json(written, files))
        return
    for line in [line for count in written.rows for line in count.lines()]:
        print(line)
    for note in written.notes:
        print(f"note: {note}")
    print()
    show_counts(written.counts)
    show_next(files, written.as_of, namespace)


def _as_json(written: Imported, files: list[Path]) -> str:
    shown = {
        "rows": [count.as_json() for count in written.rows],
        "notes": written.notes,
        "counts": written.counts,
        "files": [str(path) for path in files],
        "as_of": written.as_of.isoformat(),
    }
    return dumps(shown, indent=2)


def show_counts(counts: dict[str, int]) -> None:
    """Print a table of counts."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    for name, count in counts.items():
        table.add_row(name, f"{count:,}")
    Console().print(table)


def show_next(files: list[Path], as_of: date, namespace: str) -> None:
    """Print the files (events, items, users if any) and the command for a night on them."""
    command = [_python(), "-m", "flows.nightly"]
    for flag, path in zip(("--events", "--items", "--users"), files, strict=False):
        command += [flag, str(path)]
    command += ["--namespace", namespace, "--as-of", as_of.isoformat()]
    names = "\n".join(f"  {path}" for path in files)
    print(f"\nWritten:\n{names}\n\nA night on it:\n  {shlex.join(command)}")


def _python() -> str:
    """Return the path of this interpreter, relative to the current directory if it is below."""
    executable = Path(sys.executable)
    here = Path.cwd()
    return str(executable.relative_to(here) if executable.is_relative_to(here) else executable)
