"""Terminal output: lines, errors and tables of plain text (needs rich)."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

#: Minimum widths, so that a narrow terminal breaks cells at spaces only.
_WIDTHS = {"state": 9, "as of": 10, "published": 10, "bytes": 7, "digest": 8}


def show_line(text: str) -> None:
    """Print one plain line."""
    new_console().print(plain(text), soft_wrap=True)


def show_error(text: str) -> None:
    """Print one red line to stderr."""
    new_console(stderr=True).print(plain(text), style="red", soft_wrap=True)


def new_table(*names: str, right: Sequence[str]) -> Table:
    """Begin a table; the columns in `right` hold numbers."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold", min_width=_WIDTHS.get(name))
        if name in right:
            table.columns[-1].justify = "right"
    return table


def add_row(table: Table, *cells: str) -> None:
    """Add a row of plain text."""
    table.add_row(*map(plain, cells))


def new_console(*, stderr: bool = False) -> Console:
    """Return a console on stdout or stderr as they are now."""
    # Made anew so that it follows sys.stdout; titles are no markup.
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def plain(text: str) -> str:
    """Replace control characters: a title must not steer the terminal."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
