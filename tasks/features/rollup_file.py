"""Rollup files, each verified by a checksum before use.

A day's is Parquet. The merged one is Arrow IPC, used in place through a memory map. Both have one
row, whose columns are lists: those of `Rows`, and the texts. The schema's metadata has `days`
(JSON: UTC day -> address) and `crc32` over these and all content.
"""

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO
from zlib import crc32

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.features.arrays import Rows
from tasks.features.rollup import Rollup
from tasks.io.byte_strings import ByteStrings

#: UTC days since 1970-01-01 -> addresses.
Addresses = Mapping[int, str]

_BROKEN = (OSError, ValueError, LookupError, pa.ArrowException)


def write_day(file: IO[bytes], rollup: Rollup, days: Addresses) -> None:
    """Write the rollup of a day as Parquet."""
    batch = _batch(rollup, days)
    with pq.ParquetWriter(
        file, batch.schema, compression="none", use_dictionary=False, write_statistics=False
    ) as writer:
        writer.write_batch(batch)


def write_merged(file: IO[bytes], rollup: Rollup, days: Addresses) -> None:
    """Write the rollup of many days as Arrow IPC."""
    batch = _batch(rollup, days)
    with pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)


def read_day(path: Path) -> tuple[Rollup, dict[int, str]] | None:
    """Return a day's rollup and its days; None where the file is damaged or foreign."""
    with suppress(*_BROKEN):
        (batch,) = pq.read_table(path).to_batches()
        return _proven(batch)
    return None


def read_merged(path: Path) -> tuple[Rollup, dict[int, str]] | None:
    """Return a merged rollup and its days; None where the file is damaged or foreign."""
    with suppress(*_BROKEN), pa.memory_map(str(path)) as file:
        return _proven(pa.ipc.open_file(file).get_batch(0))
    return None


def days_in(path: Path) -> dict[int, str]:
    """Return the days of a merged rollup; none where the file cannot be read."""
    with suppress(*_BROKEN), pa.memory_map(str(path)) as file:
        return _days(pa.ipc.open_file(file).schema)
    return {}


def _batch(rollup: Rollup, days: Addresses) -> pa.RecordBatch:
    columns = _columns(rollup)
    days_json = json.dumps({str(day): days[day] for day in sorted(days)})
    lists = [
        pa.LargeListArray.from_arrays(pa.array([0, len(column)], pa.int64()), column)
        for column in columns.values()
    ]
    metadata = {"days": days_json, "crc32": str(_checksum(days_json, list(columns.values())))}
    return pa.record_batch(lists, list(columns)).replace_schema_metadata(metadata)


def _proven(batch: pa.RecordBatch) -> tuple[Rollup, dict[int, str]] | None:
    days, metadata = _days(batch.schema), batch.schema.metadata
    if not batch.schema.equals(_SCHEMA) or len(batch) != 1:
        return None
    lists = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name, column in lists.items():
        column.validate(full=name in _TEXTS)
    columns = {name: column.flatten() for name, column in lists.items()}
    if int(metadata[b"crc32"]) != _checksum(metadata[b"days"].decode(), list(columns.values())):
        return None
    strings = {name: columns.pop(name) for name in _TEXTS}
    rows = Rows(**{name: column.to_numpy() for name, column in columns.items()})
    return Rollup(**strings, rows=rows), days


def _days(schema: pa.Schema) -> dict[int, str]:
    days = json.loads((schema.metadata or {})[b"days"])
    return {int(number): str(address) for number, address in days.items()}


def _columns(rollup: Rollup) -> dict[str, pa.Array]:
    rows = {name: pa.array(numbers) for name, numbers in rollup.rows._asdict().items()}
    return rows | {name: getattr(rollup, name) for name in _TEXTS}


def _checksum(days_json: str, columns: list[pa.Array]) -> int:
    """Return the CRC-32 over the days and the CRC-32 of each column."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return crc32(json.dumps([days_json, *pool.map(_crc32, columns)]).encode())


def _crc32(column: pa.Array) -> int:
    if pa.types.is_string(column.type):
        strings = ByteStrings.of(column)
        content = strings.data[strings.offsets[0] : strings.offsets[-1]]
        return crc32(content.tobytes(), crc32(strings.lengths.tobytes()))
    return crc32(column.to_numpy())


_TEXTS = ("users", "items", "types")
_SCHEMA = pa.schema(
    [(name, pa.large_list(column.type)) for name, column in _columns(Rollup.empty()).items()]
)
