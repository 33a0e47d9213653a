"""Parquet files: proven readable before they are read, written whole or not at all."""

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
from tasks.io.parallel import parallel_map


class BrokenFile(Exception):  # noqa: N818 - a condition of one file, not an error of the night
    """A file that cannot be read; the others may be fine."""


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
    """Decode every page of the columns: DuckDB skips damaged pages and aborts on bad UTF-8."""
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
    """Decode the columns of a row group; return its number of rows."""
    rows = 0
    with pq.ParquetFile(file, metadata=metadata, page_checksum_verification=True) as parquet:
        for batch in parquet.iter_batches(row_groups=[group], columns=columns, use_threads=False):
            batch.validate(full=True)
            rows += batch.num_rows
    return rows


def digest_of(root: Path, files: Iterable[Path]) -> str:
    """Return the SHA-256 of names and contents of files, ordered by path under `root`."""
    digest = hashlib.sha256()
    for name, file in sorted((file.relative_to(root).as_posix(), file) for file in files):
        digest.update(f"{name}\0{file_hash(file)}\n".encode())
    return digest.hexdigest()


def read_column(path: Path, name: str) -> pa.Array:
    """Return one column of a file."""
    return pq.read_table(path, columns=[name], partitioning=None)[name].combine_chunks()


def row_groups(
    path: Path, columns: list[str] | None = None, distinct: list[str] | None = None
) -> Generator[pa.RecordBatch, None, None]:
    """Yield a file's rows, a row group at a time, read ahead in threads; all columns by default.

    The columns `distinct` come dictionary-encoded by row group, as Parquet stores them: Arrow does
    not concatenate lists whose dictionaries differ.
    """
    metadata = pq.read_metadata(path)

    def read(group: int) -> list[pa.RecordBatch]:
        with pq.ParquetFile(path, metadata=metadata, read_dictionary=distinct) as parquet:
            rows: pa.Table = parquet.read_row_group(group, columns, use_threads=False)
            batches: list[pa.RecordBatch] = rows.combine_chunks().to_batches()
        return batches

    groups = (group for group in range(metadata.num_row_groups))
    with closing(parallel_map(read, groups)) as found:
        for batches in found:
            yield from batches


def write_parquet(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write batches under a temporary name, then rename; return the number of rows.

    Texts may all be dictionary-encoded, and are plain text when read again.
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
            # Bounds over all elements of lists help no query.
            write_statistics=[field.name for field in schema if not pa.types.is_list(field.type)],
        ) as writer,
    ):
        yield writer
    partial.replace(path)


def write_table(path: Path, table: pa.Table) -> int:
    """Write a table whole; see `write_parquet`."""
    return write_parquet(path, table.schema, table.to_batches())


def _leaves(schema: pa.Schema) -> Iterator[tuple[str, pa.DataType]]:
    """Yield Parquet's path of each column, or of its lists' elements, with the type."""
    for field in schema:
        if pa.types.is_list(field.type) or pa.types.is_fixed_size_list(field.type):
            yield f"{field.name}.list.element", field.type.value_type
        else:
            yield field.name, field.type


def _codec(kind: pa.DataType) -> str:
    """Return a column's codec: floats hardly shrink, and LZ4 wastes the least time on them."""
    return "lz4" if pa.types.is_floating(kind) else "zstd"


def _repeats(kind: pa.DataType) -> bool:
    """Tell whether a dictionary pays: of floats or times it costs time and space."""
    return not (pa.types.is_floating(kind) or pa.types.is_timestamp(kind))


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0].strip()


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
