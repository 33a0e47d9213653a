"""CSV as people have it, against rows and places that are known since the test wrote them."""

import gzip
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data.importers.csv_dialect import Dialect
from data.importers.csv_table import load
from data.schema import InputError

HEADER = ["user_id", "Item Id", "ts"]
fields = st.text(st.sampled_from("ab1#\",;\t|\n\r \\é.'N"), max_size=6) | st.sampled_from(
    ["1.10", "007", "1e5", "true", "NULL", "\\N", "# no comment", "2024-01-01", ""]
)


@dataclass(frozen=True)
class Written:
    """A CSV file and, for each of its rows, the line that it begins on."""

    data: bytes
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    n_blank: int
    n_again: int
    n_ragged: int


def field_text(value: str, delimiter: str, quoted: bool) -> str:
    special = any(sign in value for sign in ('"', delimiter, "\n", "\r"))
    return '"' + value.replace('"', '""') + '"' if quoted or special else value


@st.composite
def files(draw: st.DrawFn) -> Written:
    """Write records of every kind by hand: no CSV library has a part in it."""
    delimiter, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    kinds = st.sampled_from(["row"] * 6 + ["blank", "again", "ragged"])
    text, line = delimiter.join(HEADER) + end, 2
    rows, lines, odd = [], [], {"blank": 0, "again": 0, "ragged": 0}
    for kind in draw(st.lists(kinds, max_size=8)):
        record = list(HEADER)
        if kind == "row":
            record = draw(st.lists(fields, min_size=3, max_size=3))
            rows.append(record)
            lines.append(line)
        elif kind == "ragged":
            record = ["x", *draw(st.lists(fields, max_size=4).filter(lambda more: len(more) != 2))]
        elif kind == "blank":
            record = []
        written = delimiter.join(field_text(v, delimiter, draw(st.booleans())) for v in record)
        text += written + end
        odd[kind] = odd.get(kind, 0) + 1
        line += len(written.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    if draw(st.booleans()) and odd["blank"] == 0:
        text = text.removesuffix(end)
    data = text.encode(encoding)
    zipped = gzip.compress(data) if draw(st.booleans()) else data
    return Written(zipped, rows, lines, odd["blank"], odd["again"], odd["ragged"])


@pytest.fixture(scope="module")
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def read(
    db: duckdb.DuckDBPyConnection, paths: Sequence[Path], dialect: Dialect | None = None
) -> tuple[list[tuple[object, ...]], str]:
    """Return the rows with the lines that they begin on, and the account of all."""
    db.execute("DROP TABLE IF EXISTS t")
    table = load(db, "t", paths, dialect or Dialect())
    rows = table.relation.project("* EXCLUDE (__file)").order("__line").fetchall()
    return rows, "\n".join(table.count.lines())


@given(written=files())
@example(written=Written(b"user_id,Item Id,ts", [], [], 0, 0, 0))
@settings(max_examples=150, deadline=None)
def test_every_record_is_a_row_or_counted(db: duckdb.DuckDBPyConnection, written: Written) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log [1]*.csv"
        path.write_bytes(written.data)
        db.execute("DROP TABLE IF EXISTS t")
        table = load(db, "t", [path], Dialect(skip_bad_lines=True))
        rows = table.relation.order("__line").fetchall()
    expected = [
        (0, line, *(value or None for value in row))
        for line, row in zip(written.lines, written.rows, strict=True)
    ]
    assert rows == expected
    assert table.relation.columns[2:] == HEADER
    assert table.count.kept == len(rows)
    assert table.count.read == len(rows) + written.n_again + written.n_ragged
    assert table.count.blank_lines == written.n_blank


def write(folder: Path, text: str | bytes, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1,2,3\n", r"log\.csv line 3: 3 fields, expected 2: '1,2,3'.*--skip-bad-lines"),
        ("a,b\n1,2\n1\n", r"line 3: 1 fields, expected 2"),
        ("a,b\n1,2\n\na,b,c\n1,2,3\n", r"line 4: 3 fields, expected 2: 'a,b,c'"),
        ('a\tb\n1\t2\n1\t"Odd" Bob\n', r"line 3: text after a closing quote: .*--quote ''"),
        ('a;b\n"1";"x \\"y\\""\n', r"line 2: text after a closing quote: .*--escape '\\'"),
        ('a,b\n1,"x\n2,y\n', r"line 2: a quote is not closed"),
        ("a,b\n1,é\n".encode("latin-1"), r"line 2: not utf-8: '1,é' \(as latin-1\).*--encoding"),
        ("a,b\n1,2\n".encode("utf-16-le"), r"NUL bytes.*--encoding utf-16-le"),
        ("", r"log\.csv is empty"),
        ("\n\n", r"log\.csv is empty"),
        ("a,b;c\n1,2;3\n", r"divide the first line alike.*--delimiter"),
        (b"PK\x03\x04....", r"a zip archive or a spreadsheet"),
        (b"PAR1....", r"a Parquet file"),
        ('{"u":1,"i":2}\n', r"log\.csv is JSON: expected CSV as text"),
        (gzip.compress(b"a,b\n" + bytes(range(32, 127)) * 99, mtime=0)[:60], r"damaged"),
        (b"\x1f\x8bnot", r"damaged"),
    ],
)
def test_an_error_names_file_line_sample_and_remedy(
    db: duckdb.DuckDBPyConnection, tmp_path: Path, text: str | bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(db, [write(tmp_path, text)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "dialect", "rows"),
    [
        ('a\tb\n1\t"Odd" Bob\n', Dialect(quote=""), [(2, "1", '"Odd" Bob')]),
        ('a;b\n1;"x \\"y\\"; z"\n', Dialect(escape="\\"), [(2, "1", 'x "y"; z')]),
        ("a,b\n\\N,x\n", Dialect(escape="\\"), [(2, "\\N", "x")]),
        ("a,b\n'x,y',2\n", Dialect(quote="'"), [(2, "x,y", "2")]),
        ("1,2\n3,4\n", Dialect(names=("a", "b")), [(1, "1", "2"), (2, "3", "4")]),
        ('a::b\n1::"x\n', Dialect("::"), [(2, "1", '"x')]),
        ("a\x01b\n1,2\x013\n", Dialect("\x01"), [(2, "1,2", "3")]),
        ("a,b\n1,é\n".encode("latin-1"), Dialect(encoding="latin-1"), [(2, "1", "é")]),
        ("a,b\n1,é\n".encode("utf-16-le"), Dialect(encoding="utf-16-le"), [(2, "1", "é")]),
        ("a,b\r1,2\r", Dialect(), [(2, "1", "2")]),
        ("\n\na,b\n1,2\n", Dialect(), [(4, "1", "2")]),
        ("a\n1\n\n2\n", Dialect(), [(2, "1"), (4, "2")]),
    ],
)
def test_dialects(
    db: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    text: str | bytes,
    dialect: Dialect,
    rows: list[tuple[object, ...]],
) -> None:
    assert read(db, [write(tmp_path, text)], dialect)[0] == rows


def test_bad_lines_are_refused_where_the_dialect_says_so(
    db: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    text = 'a,b\n1,2\n\n1,2,3\n4,"5"6\na,b\n7\n8,9\n'
    rows, account = read(db, [write(tmp_path, text)], Dialect(skip_bad_lines=True))
    assert rows == [(2, "1", "2"), (8, "8", "9")]
    assert account.split("\n") == [
        "6 rows read = 2 kept + 4 refused (blank lines: 1)",
        "  2 refused: fields that do not fit the header (log.csv line 4: '1,2,3')",
        "  1 refused: text after a closing quote (log.csv line 5: '4,\"5\"6')",
        "  1 refused: the header again (log.csv line 6: 'a,b')",
    ]


def test_names_that_come_twice_or_not_at_all_are_told_apart(
    db: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    load(db, "named", [write(tmp_path, "id, ID ,,x\n1,2,3,4\n")], Dialect())
    assert db.table("named").columns[2:] == ["id_1", "ID_2", "column_3", "x"]
    with pytest.raises(InputError, match="names columns twice"):
        load(db, "other", [write(tmp_path, "a,a,a_1\n1,2,3\n")], Dialect())


def test_a_file_given_twice_is_refused(db: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n")
    with pytest.raises(InputError, match="given twice"):
        read(db, [path, tmp_path / "." / "log.csv"])


def test_a_long_log_in_batches(db: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    out = io.StringIO()
    out.write("a,b\n")
    out.writelines(f"{n},é{n}\n" for n in range(120_001))
    rows, account = read(db, [write(tmp_path, out.getvalue())])
    assert rows[-1] == (120_002, "120000", "é120000")
    assert account == "120,001 rows read = 120,001 kept + 0 refused"


def test_a_pipe_is_refused(db: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe is no file"):
        read(db, [tmp_path / "pipe"])
