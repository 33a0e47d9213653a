from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.schema import ROW_GROUP, write, write_relation

SCHEMA = pa.schema([("id", pa.string()), ("n", pa.int64())])


def table(n_rows: int) -> pa.Table:
    return pa.table({"id": [f"r{n}" for n in range(n_rows)], "n": range(n_rows)}, schema=SCHEMA)


@given(cuts=st.lists(st.integers(1, 300), max_size=6))
@settings(max_examples=30, deadline=None)
def test_how_batches_came_does_not_show(cuts: list[int]) -> None:
    whole = table(1_000)
    edges = sorted({0, 1_000, *cuts})
    pieces = [whole.slice(a, b - a) for a, b in pairwise(edges)]
    with TemporaryDirectory() as folder:
        one, other = Path(folder) / "one.parquet", Path(folder) / "other.parquet"
        assert write(one, SCHEMA, whole.combine_chunks().to_batches()) == 1_000
        write(other, SCHEMA, (batch for piece in pieces for batch in piece.to_batches()))
        assert one.read_bytes() == other.read_bytes()


def test_row_groups_are_of_one_size_and_rows_stay_in_order(tmp_path: Path) -> None:
    whole = table(ROW_GROUP * 2 + 5)
    write(tmp_path / "t.parquet", SCHEMA, whole.to_batches(max_chunksize=ROW_GROUP - 7))
    file = pq.ParquetFile(tmp_path / "t.parquet")
    sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert sizes == [ROW_GROUP, ROW_GROUP, 5]
    assert file.read().equals(whole)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write(path, SCHEMA, table(3).to_batches())
    before = path.read_bytes()

    def breaking() -> Iterator[pa.RecordBatch]:
        yield from table(ROW_GROUP + 1).to_batches()
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        write(path, SCHEMA, breaking())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["t.parquet"]


def test_a_flipped_bit_is_told_from_data(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write(path, SCHEMA, table(1_000).to_batches())
    column = pq.ParquetFile(path).metadata.row_group(0).column(1)
    raw = bytearray(path.read_bytes())
    raw[column.dictionary_page_offset + column.total_compressed_size // 2] ^= 0x10
    path.write_bytes(raw)
    with pytest.raises(OSError, match="CRC checksum"):
        pq.read_table(path, page_checksum_verification=True)


def test_files_are_zstd_and_empty_ones_are_files_too(tmp_path: Path) -> None:
    write(tmp_path / "some.parquet", SCHEMA, table(9).to_batches())
    assert pq.ParquetFile(tmp_path / "some.parquet").metadata.row_group(0).column(
        0
    ).compression == ("ZSTD")
    assert write(tmp_path / "none.parquet", SCHEMA, []) == 0
    assert pq.read_table(tmp_path / "none.parquet").schema.equals(SCHEMA)


def test_a_relation_is_written_in_a_total_order(tmp_path: Path) -> None:
    with duckdb.connect() as db:
        relation = db.sql("SELECT * FROM (VALUES (2, 'a'), (1, 'b'), (2, NULL), (1, 'a')) t(n, id)")
        assert write_relation(tmp_path / "t.parquet", SCHEMA, relation, "n") == 4
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert [(row["n"], row["id"]) for row in rows] == [(1, "a"), (1, "b"), (2, "a"), (2, None)]
