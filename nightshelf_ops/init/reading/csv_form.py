"""The form of a text file: encoding, delimiter, quotes, and the presence of a header."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from data.importers.csv_dialect import DAMAGED, Dialect
from data.importers.csv_text import open_text, utf8_or_latin1
from data.schema import InputError

_DELIMITERS = ("::", "\t", ";", ",", "|")
_LINES = 200
#: Share of the first lines that must have equally many fields.
_ALIKE = 0.7
_NO_NAME = re.compile(
    r"[+-]?[0-9.,]+([eE][+-]?[0-9]+)?%?|[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{1,4}[/.][0-9]{1,2}[/.].*"
    r"|[0-9a-fA-F-]{32,}"
)


@dataclass(frozen=True)
class CsvForm:
    """Dialect of a file, the names of its columns, and whether a header gave them."""

    dialect: Dialect
    names: tuple[str, ...]
    headed: bool


def kind_of_text(file: Path) -> str:
    """Return `json` where a text begins as JSON does, else `csv`."""
    try:
        with open_text(file, "latin-1") as text:
            start = text.read(200).lstrip("\ufeff\xef\xbb\xbf \t\r\n")
    except InputError as error:  # JSON in gzip among others
        return "json" if "JSON" in str(error) else "csv"
    except (OSError, *DAMAGED):
        return "csv"
    return "json" if re.match(r"\{|\[\s*[\[{]", start) else "csv"


def look_at_csv(file: Path) -> CsvForm | str:
    """Return the form of a text file, or the reason for which there is no table in it."""
    try:
        encoding = _encoding(file)
        with open_text(file, encoding) as text:
            lines = list(islice(text, _LINES))
    except (InputError, UnicodeError, OSError, *DAMAGED) as error:
        return str(error).partition("\n")[0]
    lines = [line for line in lines if line.strip()]
    if any("\0" in line for line in lines):
        return "it is no text"
    if not lines:
        return "it is empty"
    escape = "\\" if any('\\"' in line for line in lines) else None
    delimiter, rows = _divide(lines, escape)
    if not delimiter:
        return _no_table(lines, escape)
    width = len(rows[0]) if len(lines) < 3 else _commonest(rows)
    headed = len(rows[0]) == width and _is_header(rows)
    names = rows[0] if headed else [f"column_{n}" for n in range(1, width + 1)]
    names = [name.strip() for name in names]
    dialect = Dialect(
        delimiter,
        quote="" if len(delimiter) > 1 else '"',
        escape=escape,
        encoding=encoding,
        names=() if headed else tuple(names),
        skip_bad_lines=True,
    )
    return CsvForm(dialect, tuple(names), headed)


def _encoding(file: Path) -> str | None:
    with file.open("rb") as stream:
        marked = stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return None if marked else utf8_or_latin1(file)


def _divide(lines: Sequence[str], escape: str | None) -> tuple[str, list[list[str]]]:
    """Return the delimiter under which most lines have equally many fields, and their fields."""
    best: tuple[float, int, str, list[list[str]]] = (0.0, 0, "", [])
    for delimiter in _DELIMITERS:
        rows = _fields(lines, delimiter, escape)
        width = _commonest(rows)
        share = sum(len(row) == width for row in rows) / len(rows)
        if width > 1 and share >= _ALIKE and (round(share, 1), width) > best[:2]:
            best = (round(share, 1), width, delimiter, rows)
            if delimiter == "::":
                break
    return best[2], best[3]


def _no_table(lines: Sequence[str], escape: str | None) -> str:
    """Return the reason for which lines hold no table: no columns, or as many as they like."""
    for delimiter in _DELIMITERS:
        rows = _fields(lines, delimiter, escape)
        widths = [len(row) for row in rows]
        if min(widths) > 1:
            other = next(n for n, width in enumerate(widths, start=1) if width != widths[0])
            return (
                f"its lines have {min(widths)} to {max(widths)} columns, and none most often; the "
                f"first that differs is line {other} (blank lines not counted). If it holds two "
                "tables, make two files"
            )
    return "no table in it: its lines have no columns"


def _fields(lines: Sequence[str], delimiter: str, escape: str | None) -> list[list[str]]:
    if len(delimiter) > 1:
        return [line.rstrip("\r\n").split(delimiter) for line in lines]
    return [row for row in csv.reader(lines, delimiter=delimiter, escapechar=escape) if row] or [[]]


def _commonest(rows: Sequence[Sequence[str]]) -> int:
    widths = Counter(len(row) for row in rows)
    return min(widths, key=lambda width: (-widths[width], width))


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first row names columns: no number, no time, no value as of a row below."""
    first = rows[0]
    below = [row for row in rows[1:] if len(row) == len(first) and row != first]
    if any(_NO_NAME.fullmatch(name.strip()) for name in first) or len(set(first)) < len(first):
        return False
    return not any(
        name and any(row[n] == name or _numbered(name) == _numbered(row[n]) != "" for row in below)
        for n, name in enumerate(first)
    )


def _numbered(value: str) -> str:
    """Return the shape of a value with a number, `u12` as `u9`; empty for others."""
    shape = re.sub("[0-9]+", "9", value)
    return shape if shape != value else ""
