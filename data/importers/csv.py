"""The command that imports any CSV log: one SQL expression a column of ours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from data.cli import plain_errors, show, status
from data.importers.csv_dialect import Dialect
from data.importers.csv_import import CsvMap, import_csv
from data.importers.csv_table import NULL_WORDS
from data.schema import InputError


def main(
    csv: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Argument(file_okay=False)],
    *,
    event: Annotated[list[str], typer.Option(metavar="COLUMN=SQL", help="An event's column.")],
    item: Annotated[list[str], typer.Option(metavar="COLUMN=SQL", help="An item's column.")],
    user: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=SQL", help="A user's column.")
    ] = None,
    items: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The items' own CSV.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="SQL", help="Keep rows that meet this; repeatable.")
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(help="Default: comma, tab, semicolon or bar, by the first line; '::' works."),
    ] = None,
    quote: Annotated[str, typer.Option(help="'' where quotes are plain text.")] = '"',
    escape: Annotated[
        str | None, typer.Option(help="A sign before quotes inside a text, such as '\\'.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="latin-1, cp1252, ...  Default: UTF-8, UTF-16 by its mark.")
    ] = None,
    names: Annotated[
        str | None, typer.Option(metavar="NAME,NAME,...", help="Columns of files without a header.")
    ] = None,
    skip_bad_lines: Annotated[
        bool, typer.Option("--skip-bad-lines", help="Refuse and count lines that do not fit.")
    ] = False,
    null_words: Annotated[
        str, typer.Option(metavar="WORD,WORD,...", help="Null as an id; '' keeps all words.")
    ] = ",".join(NULL_WORDS),
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    r"""Import CSV logs into OUT: events.parquet, items.parquet, and users.parquet if mapped.

    A CSV is text, plain or in gzip, whatever its name ends in; several are read as one log, each by
    its own header. Nothing of it is guessed but the delimiter.

    Each column of ours is an SQL expression (DuckDB's) over the CSV's columns. These are text, as
    written: 1.10 and 007 stay so. Where an expression needs numbers (Quantity * Price, rating >= 4,
    to_timestamp(timestamp)), a column that holds only numbers is read as numbers.

    A time is ISO 8601, in UTC where it names no offset, or its unit is declared:

    ts=to_timestamp(timestamp)  for Unix seconds, ts=epoch_ms(timestamp)  for milliseconds,

    ts=strptime(day, '%m/%d/%Y %H:%M')  for another format.

    For example:

    python -m data.importers.csv orders.csv .nightshelf/orders --event user_id=Customer
    --event item_id=SKU --event ts=OrderedAt --event "event_type='purchase'"
    --event "value=Quantity * UnitPrice" --item category=Department --item title=Name
    --user segment=Country --where "Quantity > 0"
    """
    columns = CsvMap(
        event=_pairs("event", event),
        item=_pairs("item", item),
        user=_pairs("user", user or []),
        keep={f"fails {condition}": condition for condition in where or []},
    )
    dialect = Dialect(
        delimiter=_sign("delimiter", delimiter, longest=9) if delimiter is not None else None,
        quote=_sign("quote", quote) if quote else "",
        escape=_sign("escape", escape) if escape else None,
        encoding=encoding,
        names=tuple(name.strip() for name in names.split(",")) if names else (),
        skip_bad_lines=skip_bad_lines,
    )
    words = [word for word in null_words.split(",") if word]
    with status("reading ...") as report:
        written = import_csv(csv, out, columns, items, report, dialect=dialect, null_words=words)
    if any("null word" in reason for count in written.rows for reason in count.refused):
        written.notes.append("--null-words '' takes such words as ids")
    show(written, "imported", json=json)


def _sign(option: str, given: str, longest: int = 1) -> str:
    """Return a character that separates; a tab may be written as backslash and t."""
    sign = given
    if len(given) > 1 and given.startswith("\\"):
        try:
            sign = given.encode("ascii").decode("unicode_escape")
        except UnicodeError as error:
            raise InputError(f"--{option} {given}: no such character") from error
    if not 0 < len(sign) <= longest or "\n" in sign or "\r" in sign:
        raise InputError(f"--{option} {given!r}: expected one character, such as ',' or '\\t'")
    return sign


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Split `column=expression`, at the first `=`."""
    pairs = {name.strip(): sql for name, equals, sql in (g.partition("=") for g in given) if equals}
    if len(pairs) < len(given):
        raise InputError(f"--{option}: expected COLUMN=SQL, each column once; got {list(given)}")
    return pairs


if __name__ == "__main__":
    typer.run(plain_errors(main))
