"""Records of a CSV file with the line each begins on, read strictly by its dialect.

No comment signs, no lines skipped, no types; only the delimiter follows from the first line, if
none is given. A record with more or fewer fields than the header, or with text after a closing
quote, ends the import, or is refused where the dialect says so; blank lines and repeated headers
are counted separately.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from data.importers.csv_dialect import DAMAGED, Dialect, find_delimiter, records
from data.importers.csv_text import line_of, open_text, undecodable
from data.rows import Place, RowCount, shown
from data.schema import InputError

BATCH_ROWS = 50_000

Batch = tuple[list[int], list[list[str]]]


class CsvFile:
    """An open CSV file: its column names, and its rows in batches."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self.path, self._dialect = path, dialect
        self.delimiter = dialect.delimiter or find_delimiter(path, dialect)
        self._lines = open_text(path, dialect.encoding)
        self._records = records(self._lines, self.delimiter, dialect)
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
            except DAMAGED as error:
                raise InputError(f"{self.path} is damaged: {error}") from error
        count.read += len(rows)
        yield lines, rows

    def _odd(self, row: Sequence[str], line: int, count: RowCount) -> None:
        """Count a record that is no row, or raise `InputError`."""
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
        """Count a malformed record, or raise `InputError`."""
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


def _distinct(path: Path, names: Sequence[str]) -> list[str]:
    """Make names unique: `column_3` for an empty one, `a_1` and `a_2` for two of a name."""
    named = [name or f"column_{n}" for n, name in enumerate(names, start=1)]
    folded = [name.lower() for name in named]
    unique = [
        f"{name}_{folded[: n + 1].count(fold)}" if folded.count(fold) > 1 else name
        for n, (name, fold) in enumerate(zip(named, folded, strict=True))
    ]
    if len({name.lower() for name in unique}) < len(unique):
        raise InputError(f"{path}: the header names columns twice: {', '.join(names)}")
    return unique
