"""The clean log by UTC day: rows and digest of each day.

The log is in order of time, so a day is a range of its rows. The file's footer has the ranges, and
the SHA-256 of each day's events, which depends neither on their files nor on other days.
"""

import hashlib
import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.io.columns import EVENT_TYPE, ITEM_ID, TS, USER_ID, VALUE
from tasks.io.parallel import read_ahead
from tasks.io.parquet import writing

DAY_US = 86_400_000_000
TEXTS = (USER_ID, ITEM_ID, EVENT_TYPE)
#: The columns that features are made from.
_COLUMNS = [*TEXTS, TS, VALUE]
#: Rows of a row group, which ends with a day; a day longer than the second bound is split.
_GROUP_ROWS = 50_000
_MAX_GROUP_ROWS = 1_000_000
_FOOTER = "nightshelf.days"


@dataclass(frozen=True)
class Day:
    """A UTC day of a clean log, counted from 1970-01-01; its rows, `start` to `stop`; a digest."""

    number: int
    start: int
    stop: int
    digest: str


def write_log(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write clean events, which must come in order of `ts`; return the number of rows."""
    days: list[Day] = []
    n_rows = 0
    with writing(path, schema) as writer, closing(read_ahead(_groups(batches))) as ready:
        for numbers, digests, parts in ready:
            for number, digest, part in zip(numbers, digests, parts, strict=True):
                days.append(Day(number, n_rows, n_rows + len(part), digest))
                n_rows += len(part)
            writer.write_table(pa.concat_tables(parts), _MAX_GROUP_ROWS)
        writer.add_key_value_metadata({_FOOTER: json.dumps([asdict(day) for day in days])})
    return n_rows


def _groups(
    batches: Iterable[pa.RecordBatch],
) -> Generator[tuple[list[int], list[str], list[pa.Table]], None, None]:
    """Yield days until a row group is full: their numbers, digests and events."""
    numbers, digests, parts, n_rows = list[int](), list[str](), list[pa.Table](), 0
    for number, events in _by_day(batches):
        numbers.append(number)
        digests.append(_digest(events))
        parts.append(events)
        n_rows += len(events)
        if n_rows >= _GROUP_ROWS:
            yield numbers, digests, parts
            numbers, digests, parts, n_rows = [], [], [], 0
    if parts:
        yield numbers, digests, parts


def days_of(path: Path) -> list[Day]:
    """Return the days of a clean log that hold an event, in order."""
    footer = pq.read_metadata(path).metadata[_FOOTER.encode()]
    return [Day(**day) for day in json.loads(footer)]


def read_days(path: Path, days: Sequence[Day]) -> Generator[tuple[Day, pa.Table], None, None]:
    """Yield the events of each day: user_id, item_id, event_type (dictionaries), ts, value."""
    with pq.ParquetFile(path, read_dictionary=TEXTS) as parquet:
        sizes = [parquet.metadata.row_group(n).num_rows for n in range(parquet.num_row_groups)]
        bounds = np.cumsum([0, *sizes])

        @lru_cache(1)  # the next day is often in the same
        def group(number: int) -> pa.Table:
            return parquet.read_row_group(number, columns=_COLUMNS)

        for day in days:
            first = int(np.searchsorted(bounds, day.start, "right")) - 1
            last = int(np.searchsorted(bounds, day.stop, "left"))
            parts = pa.concat_tables(group(number) for number in range(first, last))
            yield day, parts.slice(day.start - int(bounds[first]), day.stop - day.start)


def _by_day(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[int, pa.Table]]:
    """Yield the rows of each day."""
    day, held = 0, list[pa.RecordBatch]()
    for batch in batches:
        numbers = batch.column(TS).view(pa.int64()).to_numpy() // DAY_US
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
        for start, stop in zip(starts, [*starts[1:], len(batch)], strict=True):
            if held and numbers[start] != day:
                yield day, pa.Table.from_batches(held)
                held = []
            day = int(numbers[start])
            held.append(batch.slice(start, stop - start))
    if held:
        yield day, pa.Table.from_batches(held)


def _digest(events: pa.Table) -> str:
    """Return the SHA-256 of a day's events, whatever their batches."""
    digest = hashlib.sha256(f"{len(events)}\n".encode())
    for name in TEXTS:
        chunks = [_lengths_and_bytes(chunk) for chunk in events.column(name).chunks]
        for lengths, _ in chunks:
            digest.update(lengths)
        for _, content in chunks:
            digest.update(content)
    value = events.column(VALUE)
    valued = pc.cast(pc.is_valid(value), pa.int8())
    for column in (events.column(TS).cast(pa.int64()), valued, pc.fill_null(value, 0.0)):
        for chunk in column.chunks:
            digest.update(chunk.to_numpy())
    return digest.hexdigest()


def _lengths_and_bytes(strings: pa.StringArray) -> tuple[bytes, memoryview]:
    """Return the lengths and bytes of an array that may be a slice."""
    _, offsets, content = strings.buffers()
    ends = np.frombuffer(offsets, np.int32)[strings.offset : strings.offset + len(strings) + 1]
    return np.diff(ends).tobytes(), memoryview(content)[ends[0] : ends[-1]]
