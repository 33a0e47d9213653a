"""Records of a CSV file with the line each begins on: read by its dialect, nothing guessed.

Python's `csv` reads, strictly: no comment signs, no lines skipped, no types. Only the delimiter
follows from the first line, where none is given. A record with more or fewer fields than the
header, or with text after a closing quote, ends the import, or is counted where the dialect says
so; blank lines and a header that comes again are counted apart.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from data.csv_text import line_of, open_text, undecodable
from data.parquet import InputError
from data.rows import Place, RowCount, shown

BATCH_ROWS = 50_000
_DELIMITERS = (",", "\t", ";", "|")
#: A longer field is a quote that was never closed.
_MAX_FIELD_CHARS = 1 << 24

Batch = tuple[list[int], list[list[str]]]


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written; the defaults are RFC 4180 in UTF-8.

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


class _Records(Protocol):
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


class CsvFile:
    """An open CSV file: its column names, and its rows in batches."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self.path, self._dialect = path, dialect
        self.delimiter = dialect.delimiter or _find_delimiter(path, dialect)
        self._lines = open_text(path, dialect.encoding)
        self._records = _records(self._lines, self.delimiter, dialect)
        self._blank_lines = 0
        try:
            self.header = list(dialect.names) or self._read_header()
            self.names = _distinct(path, [name.strip() for name in self.header])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def batches(self, count: RowCount) -> Iterator[Batch]:
        """Yield the lines that rows begin on, and the rows; add what was read to `count`."""
        count.blank_lines += self._blank_lines
        lines: list[int] = []
        rows: list[list[str]] = []
        n_fields, header = len(self.header), self.header
        while True:
            first = self._records.line_num + 1
            try:
                for row in self._records:
                    if len(row) == n_fields and row != header:
                        rows.append(row)
                        lines.append(first)
                        if len(rows) == BATCH_ROWS:
                            count.read += len(rows)
                            yield lines, rows
                            lines, rows = [], []
                    else:
                        self._odd(row, first, count)
                    first = self._records.line_num + 1
                break
            except csv.Error as error:
                self._malformed(error, first, count)
            except UnicodeDecodeError as error:
                raise undecodable(self.path, error) from error
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise InputError(f"{self.path} is damaged: {error}") from error
        count.read += len(rows)
        yield lines, rows

    def _odd(self, row: Sequence[str], line: int, count: RowCount) -> None:
        """Count a record that is no row of the table, or raise `InputError`."""
        if not "".join(row).strip() and len(row) <= 1:
            count.blank_lines += 1
            return
        sample = Place(self.path, line, self.delimiter.join(row))
        if list(row) == self.header:
            self._refuse("the header again", sample, count)
            return
        found = f"{len(row)} fields, expected {len(self.header)}"
        if not self._dialect.skip_bad_lines:
            raise InputError(
                f"{self.path} line {line}: {found}: {shown(sample.value)}. Mend the line, or count "
                "such lines as refused: --skip-bad-lines"
            )
        self._refuse("fields that do not fit the header", sample, count)

    def _malformed(self, error: csv.Error, line: int, count: RowCount) -> None:
        """Count a record that cannot be taken apart, or raise `InputError`."""
        text = line_of(self.path, self._dialect.encoding, line)
        several = self._records.line_num > line or "expected after" not in str(error)
        if several or not self._dialect.skip_bad_lines:
            why = "a quote is not closed" if several else "text after a closing quote"
            raise InputError(
                f"{self.path} line {line}: {why}: {shown(text)}. Where quotes are plain text: "
                "--quote ''; where a backslash stands before them: --escape '\\'"
            )
        self._refuse("text after a closing quote", Place(self.path, line, text), count)

    @staticmethod
    def _refuse(reason: str, sample: Place, count: RowCount) -> None:
        count.read += 1
        count.refuse(reason, 1, sample)

    def _read_header(self) -> list[str]:
        try:
            for row in self._records:
                if "".join(row).strip():
                    return row
                self._blank_lines += 1
        except csv.Error as error:
            self._malformed(error, self._blank_lines + 1, RowCount("rows"))
        except UnicodeDecodeError as error:
            raise undecodable(self.path, error) from error
        raise InputError(f"{self.path} is empty: expected a header line and rows")


def _records(lines: TextIO, delimiter: str, dialect: Dialect) -> _Records:
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


def _find_delimiter(path: Path, dialect: Dialect) -> str:
    """Return the delimiter that makes most fields of the first line; `InputError` on a tie."""
    try:
        with open_text(path, dialect.encoding) as lines:
            first = next((line for line in lines if line.strip()), "")
    except UnicodeDecodeError as error:
        raise undecodable(path, error) from error
    except (OSError, EOFError, zlib.error) as error:
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


def _distinct(path: Path, names: Sequence[str]) -> list[str]:
    """Name columns apart: `column_3` for one without a name, `a_1` and `a_2` for two of a name."""
    named = [name or f"column_{n}" for n, name in enumerate(names, start=1)]
    folded = [name.lower() for name in named]
    apart = [
        f"{name}_{folded[: n + 1].count(fold)}" if folded.count(fold) > 1 else name
        for n, (name, fold) in enumerate(zip(named, folded, strict=True))
    ]
    if len({name.lower() for name in apart}) < len(apart):
        raise InputError(f"{path}: the header names columns twice: {', '.join(names)}")
    return apart
