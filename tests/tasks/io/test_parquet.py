"""Files in and out: what is found, what is broken, and that no damage is read as data."""

import hashlib
import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.io.find_files import find_files
from tasks.io.parquet import (
    BrokenFile,
    digest_of,
    prove_readable,
    read_schema,
    write_parquet,
    write_table,
)
from tests.tasks.logs import flip_bit

LISTS = pa.field("lists", pa.list_(pa.string()))
TABLE = pa.table({"user_id": [f"u{n % 7}" for n in range(40)], "value": [n / 8 for n in range(40)]})


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "whole.parquet"
    write_table(path, TABLE)
    return path


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    path.touch()
    with pytest.raises(BrokenFile, match=r"^empty, 0 bytes$"):
        read_schema(path)


def test_a_file_cut_anywhere_is_broken(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    cut = tmp_path / "cut.parquet"
    for size in range(1, len(content), 13):
        cut.write_bytes(content[:size])
        with pytest.raises(BrokenFile, match="truncated or still being written"):
            read_schema(cut)


def test_a_flipped_bit_in_the_pages_is_never_read_as_data(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    footer_bytes = struct.unpack("<I", content[-8:-4])[0]
    rows, n_caught = TABLE.to_pylist(), 0
    damaged = tmp_path / "damaged.parquet"
    for position in range(4, len(content) - 8 - footer_bytes):
        damaged.write_bytes(
            content[:position] + bytes([content[position] ^ 0x10]) + content[position + 1 :]
        )
        try:
            read_schema(damaged)
            prove_readable(damaged, TABLE.column_names)
        except BrokenFile as broken:
            assert str(broken).startswith("damaged (")
            n_caught += 1
        else:  # the flip fell on a statistic that nobody reads, or the other reader refuses it
            assert pq.read_table(damaged).to_pylist() == rows
            assert rows_in_duckdb(damaged) in (rows, None)
    assert n_caught > (len(content) - footer_bytes) // 2


def rows_in_duckdb(path: Path) -> list[dict[str, object]] | None:
    try:
        rows: list[dict[str, object]] = duckdb.read_parquet(str(path)).to_arrow_table().to_pylist()
    except duckdb.Error:
        return None
    return rows


def test_text_that_is_no_utf8_is_damage(tmp_path: Path) -> None:
    buffers = [None, pa.py_buffer(struct.pack("<2i", 0, 2)), pa.py_buffer(b"\xff\xfe")]
    path = tmp_path / "latin.parquet"
    pq.write_table(pa.table({"user_id": pa.Array.from_buffers(pa.string(), 1, buffers)}), path)
    with pytest.raises(BrokenFile, match=r"damaged .*Invalid UTF8"):
        prove_readable(path, ["user_id"])


def test_only_the_columns_asked_for_are_proven(whole: Path) -> None:
    flip_bit(whole, "value")
    prove_readable(whole, ["user_id"])
    with pytest.raises(BrokenFile, match=r"damaged .*CRC"):
        prove_readable(whole, ["value"])


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    assert write_table(one, TABLE) == write_table(two, TABLE) == 40
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("n_texts", [0, 3, 90_000])  # the last are over a page of dictionary
def test_texts_in_dictionaries_are_read_again_as_texts(tmp_path: Path, n_texts: int) -> None:
    strings = [f"a text of some length, number {n}" for n in range(n_texts)]
    plain = pa.table({"lists": [strings, [], strings[::-1]]}, pa.schema([LISTS]))
    (column,) = plain.columns
    coded = pa.array(column.to_pylist(), pa.list_(pa.dictionary(pa.int32(), pa.string())))
    path, rows = tmp_path / "coded.parquet", [pa.record_batch([coded], ["lists"])] * 2
    assert write_parquet(path, plain.schema, rows) == 6
    assert pq.read_table(path).equals(pa.concat_tables([plain, plain]))


def test_no_column_is_left_uncompressed(tmp_path: Path) -> None:
    columns = {
        "text": ["a"],
        "number": [0.5],
        "strings": [["a", "b"]],
        "numbers": [[0.5, 0.25]],
        "vector": pa.array([[0.5, 0.25]], pa.list_(pa.float32(), 2)),
        "time": pa.array([0], pa.timestamp("us")),
    }
    write_table(tmp_path / "all.parquet", pa.table(columns))
    group = pq.read_metadata(tmp_path / "all.parquet").row_group(0)
    found = [group.column(n).compression for n in range(group.num_columns)]
    assert found == ["ZSTD", "LZ4", "ZSTD", "LZ4", "LZ4", "ZSTD"]


def test_a_file_of_no_batches_has_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "nothing.parquet"
    assert write_parquet(path, TABLE.schema, iter(())) == 0
    assert pq.read_table(path).equals(TABLE.slice(0, 0))


def test_a_write_that_fails_leaves_the_old_file(whole: Path) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield from TABLE.to_batches()
        raise RuntimeError("the disk is full")

    before = whole.read_bytes()
    with pytest.raises(RuntimeError, match="disk is full"):
        write_parquet(whole, TABLE.schema, batches())
    assert whole.read_bytes() == before
    assert find_files("events", whole.parent).files == [whole]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    for name in ("date=2026-02-01/a", "date=2026-02-02/a", "date=2026-02-02/b"):
        path = tmp_path / "log" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "log"


def digest(root: Path) -> str:
    return digest_of(root, [root] if root.is_file() else sorted(root.rglob("*.parquet")))


def test_the_digest_of_files_is_as_defined(log: Path) -> None:
    text = ""
    for name in ("date=2026-02-01/a", "date=2026-02-02/a", "date=2026-02-02/b"):
        text += f"{name}.parquet\0{hashlib.sha256(name.encode()).hexdigest()}\n"
    assert digest(log) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "command",
    [
        "echo -n x >> date=2026-02-02/a.parquet",
        "truncate --size=-1 date=2026-02-02/a.parquet",
        "touch date=2026-02-02/c.parquet",
        "rm date=2026-02-02/b.parquet",
        "mv date=2026-02-02/b.parquet date=2026-02-02/c.parquet",
        "mv date=2026-02-02/b.parquet date=2026-02-01/b.parquet",
        "mv date=2026-02-01 date=2026-02-03",
        "mv date=2026-02-01/a.parquet x; mv date=2026-02-02/a.parquet date=2026-02-01;"
        "mv x date=2026-02-02/a.parquet",
    ],
)
def test_the_digest_changes_with_any_content_name_or_number_of_files(
    log: Path, command: str
) -> None:
    before = digest(log)
    assert os.system(f"cd '{log}' && {command}") == 0
    assert digest(log) != before


def test_the_digest_is_blind_to_where_and_when(log: Path, tmp_path: Path) -> None:
    before = digest(log)
    shutil.copytree(log, tmp_path / "x/copy", copy_function=shutil.copy)
    for file in (tmp_path / "x").rglob("*.parquet"):
        os.utime(file, (0, 0))
    assert digest(tmp_path / "x/copy") == before
    files = sorted(log.rglob("*.parquet"))
    assert digest_of(log, reversed(files)) == before, "the order of the names counts, no other"


def test_the_digest_of_one_file_is_its_contents_alone(tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("one.parquet", "two.parquet", "other.parquet"))
    for path, text in ((one, "a"), (two, "a"), (other, "b")):
        path.write_text(text)
    assert digest(one) == digest(two) != digest(other)


def test_two_short_files_are_not_one_long_one(tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("a", "ab")]
    for path in names:
        path.write_text("b")
    assert digest_of(tmp_path, names[:1]) != digest_of(tmp_path, names)
    assert digest_of(tmp_path, []) == hashlib.sha256().hexdigest()
