"""Parquet files in and out: proven readable, written whole."""

import hashlib
import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.io.disk import begun
from tasks.io.find_files import other_format
from tasks.io.parallel import ahead


class BrokenFile(Exception):  # noqa: N818 - a condition of one file, not an error of the night
    """One file cannot be read; the others may be fine."""


def read_schema(file: Path) -> pa.Schema:
    """Return a file's schema from its footer, which a half-written file does not have yet."""
    if file.stat().st_size == 0:
        raise BrokenFile("empty, 0 bytes")
    try:
        return pq.read_schema(file)
    except PermissionError as error:
        raise BrokenFile(f"cannot be opened ({error.strerror})") from error
    except (pa.ArrowException, OSError) as error:
        if other := other_format(file):
            raise BrokenFile(f"no Parquet file but {other}") from error
        raise BrokenFile(f"truncated or still being written ({_first_line(error)})") from error


def prove_readable(file: Path, columns: list[str]) -> None:
    """Decode every page of the columns: DuckDB passes over damaged pages, and dies of bad UTF-8."""
    try:
        metadata = pq.read_metadata(file)
        proven = partial(_proven_rows, file, metadata, columns)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            rows = sum(pool.map(proven, range(metadata.num_row_groups)))
    except (pa.ArrowException, OSError) as error:
        raise BrokenFile(f"damaged ({_first_line(error)})") from error
    if rows != metadata.num_rows:
        raise BrokenFile(f"damaged (holds {rows:,} rows of {metadata.num_rows:,})")


def _proven_rows(file: Path, metadata: pq.FileMetaData, columns: list[str], group: int) -> int:
    """Decode the columns of a row group, and return how many rows it holds."""
    rows = 0
    with pq.ParquetFile(file, metadata=metadata, page_checksum_verification=True) as parquet:
        for batch in parquet.iter_batches(row_groups=[group], columns=columns, use_threads=False):
            batch.validate(full=True)
            rows += batch.num_rows
    return rows


def digest_of(root: Path, files: Iterable[Path]) -> str:
    """Return SHA-256 over files in the order of their paths under `root`, names and contents."""
    digest = hashlib.sha256()
    for name, file in sorted((file.relative_to(root).as_posix(), file) for file in files):
        digest.update(f"{name}\0{file_hash(file)}\n".encode())
    return digest.hexdigest()


def row_groups(
    path: Path, columns: list[str] | None = None, distinct: list[str] | None = None
) -> Generator[pa.RecordBatch, None, None]:
    """Yield a file's rows, a row group at a time, read in threads ahead; all columns unless told.

    The columns `distinct` come as positions among the distinct texts of their row group, as Parquet
    keeps them: Arrow does not put lists together whose dictionaries differ.
    """
    metadata = pq.read_metadata(path)

    def read(group: int) -> list[pa.RecordBatch]:
        with pq.ParquetFile(path, metadata=metadata, read_dictionary=distinct) as parquet:
            rows: pa.Table = parquet.read_row_group(group, columns, use_threads=False)
            batches: list[pa.RecordBatch] = rows.combine_chunks().to_batches()
        return batches

    groups = (group for group in range(metadata.num_row_groups))
    with closing(ahead(read, groups)) as found:
        for batches in found:
            yield from batches


def write_parquet(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write batches under a temporary name, then rename; returns the number of rows.

    All of them may hold texts as positions in dictionaries, which is how Parquet keeps them: what
    is read again are texts.
    """
    rows = 0
    batches = iter(batches)
    first = next(batches, None)
    given = schema if first is None else first.schema
    with writing(path, given, store_schema=given == schema) as writer:
        for batch in chain([] if first is None else [first], batches):
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


@contextmanager
def writing(
    path: Path, schema: pa.Schema, *, store_schema: bool = True
) -> Iterator[pq.ParquetWriter]:
    """Open a writer under a temporary name, and rename the file once it is whole."""
    partial = path.with_name(f".{path.name}.partial")
    kinds = dict(_leaves(schema))
    with (
        begun(partial),
        pq.ParquetWriter(
            partial,
            schema,
            compression={path: _codec(kind) for path, kind in kinds.items()},
            write_page_checksum=True,
            store_schema=store_schema,
            use_dictionary=[path for path, kind in kinds.items() if _repeats(kind)],
            # The least and the greatest of all lists' elements help nobody to find a row.
            write_statistics=[field.name for field in schema if not pa.types.is_list(field.type)],
        ) as writer,
    ):
        yield writer
    partial.replace(path)


def write_table(path: Path, table: pa.Table) -> int:
    """Write a table whole; see `write_parquet`."""
    return write_parquet(path, table.schema, table.to_batches())


def _leaves(schema: pa.Schema) -> Iterator[tuple[str, pa.DataType]]:
    """Yield what Parquet calls each column, or the elements of its lists, and their type."""
    for field in schema:
        if pa.types.is_list(field.type) or pa.types.is_fixed_size_list(field.type):
            yield f"{field.name}.list.element", field.type.value_type
        else:
            yield field.name, field.type


def _codec(kind: pa.DataType) -> str:
    """Return how a column is compressed: floats hardly shrink, and LZ4 is quickest to give up."""
    return "lz4" if pa.types.is_floating(kind) else "zstd"


def _repeats(kind: pa.DataType) -> bool:
    """Tell what repeats itself: a dictionary of floats or of times costs time and room."""
    return not (pa.types.is_floating(kind) or pa.types.is_timestamp(kind))


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0].strip()


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
