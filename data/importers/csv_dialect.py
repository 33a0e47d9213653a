"""Dialects of CSV files, and their records by Python's `csv`, strictly."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from data.importers.csv_text import open_text, undecodable
from data.schema import InputError

#: Errors of reading a damaged archive.
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)
_DELIMITERS = (",", "\t", ";", "|")
#: A longer field is a quote that was never closed.
_MAX_FIELD_CHARS = 1 << 24


@dataclass(frozen=True)
class Dialect:
    """Dialect of a CSV file; the defaults are RFC 4180 in UTF-8.

    - `delimiter`: None: of comma, tab, semicolon and bar the one that makes most of the first line.
      More than one character: lines are split at it, and quotes mean nothing.
    - `quote`: empty where quotes are plain text.
    - `escape`: the character before a quote that belongs to the text; doubled quotes always do.
    - `names`: the columns of a file that has no header.
    - `skip_bad_lines`: refuse and count rows that do not fit the header, and go on.
    """

    delimiter: str | None = None
    quote: str = '"'
    escape: str | None = None
    encoding: str | None = None
    names: tuple[str, ...] = ()
    skip_bad_lines: bool = False


class Records(Protocol):
    """Records, and the number of lines read for them so far."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


class _Split:
    """Records of lines that are split at a delimiter of any length."""

    def __init__(self, lines: TextIO, delimiter: str) -> None:
        self.line_num, self._lines, self._delimiter = 0, lines, delimiter

    def __iter__(self) -> Iterator[list[str]]:
        for line in self._lines:
            self.line_num += 1
            text = line.rstrip("\r\n")
            yield text.split(self._delimiter) if text else []


def records(lines: TextIO, delimiter: str, dialect: Dialect) -> Records:
    """Return the records of lines; `csv.Error` for a malformed one."""
    if len(delimiter) > 1:
        return _Split(lines, delimiter)
    csv.field_size_limit(_MAX_FIELD_CHARS)
    # An escape before N is the null of MySQL and Hive, not the letter.
    source = (line.replace("\\N", "\\\\N") for line in lines) if dialect.escape == "\\" else lines
    return csv.reader(
        source,
        delimiter=delimiter,
        quotechar=dialect.quote or None,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        escapechar=dialect.escape,
        strict=True,
    )


def find_delimiter(path: Path, dialect: Dialect) -> str:
    """Return the delimiter that makes most fields of the first line; `InputError` on a tie."""
    try:
        with open_text(path, dialect.encoding) as lines:
            first = next((line for line in lines if line.strip()), "")
    except UnicodeDecodeError as error:
        raise undecodable(path, error) from error
    except DAMAGED as error:
        raise InputError(f"{path} is damaged: {error}") from error
    if "\0" in first:
        raise InputError(f"{path} holds NUL bytes: if it is UTF-16: --encoding utf-16-le")
    fields = {d: _count_fields(first, d, dialect.quote) for d in _DELIMITERS}
    most = max(fields.values())
    best = [delimiter for delimiter, count in fields.items() if count == most]
    if most > 1 and len(best) > 1:
        raise InputError(f"{path}: {best!r} divide the first line alike: name one with --delimiter")
    return best[0]


def _count_fields(line: str, delimiter: str, quote: str) -> int:
    return sum(len(row) for row in csv.reader([line], delimiter=delimiter, quotechar=quote or None))
