"""Schemas of the three Parquet files that a night reads, and the writing of them.

A file is written under a temporary name and renamed when whole. It has page checksums (Parquet
format, `PageHeader.crc`). Rows go out in a total order, in row groups of a fixed size: the same
input gives the same bytes.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from data.rows import RowCount

#: Called with a line on the work in progress.
Report = Callable[[str], None]

ROW_GROUP = 262_144

_INSTANT = pa.timestamp("us", tz="UTC")
#: Grain: one event. The columns after `ts` may be absent.
EVENTS = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("event_type", pa.string()),
        ("ts", _INSTANT),
        ("value", pa.float64()),
        ("event_id", pa.string()),
        ("arrived_at", _INSTANT),
        ("session_id", pa.string()),
    ]
)
#: Grain: one item. The columns after `category` may be absent.
ITEMS = pa.schema(
    [
        ("item_id", pa.string()),
        ("category", pa.string()),
        ("title", pa.string()),
        ("price", pa.float64()),
        ("available", pa.bool_()),
        ("created_at", _INSTANT),
        ("tags", pa.list_(pa.string())),
        ("image_url", pa.string()),
    ]
)
#: Grain: one user.
USERS = pa.schema([("user_id", pa.string()), ("segment", pa.string()), ("created_at", _INSTANT)])


class InputError(Exception):
    """An input that cannot be imported; the message names the fault and the remedy."""


@dataclass(frozen=True)
class Imported:
    """Files written by an import, with its account of rows.

    `counts` is in reading order; `rows` accounts for each table read; `notes` are warnings.
    `users` is None where the log has none.
    """

    events: Path
    items: Path
    users: Path | None
    counts: dict[str, int]
    last_event: datetime
    rows: list[RowCount] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def as_of(self) -> date:
        """The day after the last event: the first midnight after all of them."""
        return self.last_event.date() + timedelta(days=1)


def silent(words: str) -> None:
    """Report nothing."""


def write(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write batches, cast to `schema`, and return the number of rows; no file where it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    rows = 0
    try:
        with pq.ParquetWriter(
            partial, schema, compression="zstd", write_page_checksum=True
        ) as writer:
            for table in _row_groups(schema, batches):
                writer.write_table(table, row_group_size=ROW_GROUP)
                rows += table.num_rows
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return rows


def write_relation(
    path: Path, schema: pa.Schema, relation: duckdb.DuckDBPyRelation, order: str
) -> int:
    """Write a relation in `order`, then by every other column; its columns are of `schema`.

    Returns the number of rows. Memory is bounded by DuckDB's limit and one row group.
    """
    names = [name for name in schema.names if name in relation.columns]
    leading = order.split(", ")
    by = [*leading, *(name for name in names if name not in leading)]
    ordered = relation.project(", ".join(names)).order(", ".join(by))
    present = pa.schema([schema.field(name) for name in names])
    return write(path, present, ordered.to_arrow_reader(ROW_GROUP))


def _row_groups(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield tables of `ROW_GROUP` rows, the last one shorter, whatever the batches' sizes."""
    held = schema.empty_table()
    for batch in batches:
        held = pa.concat_tables([held, pa.Table.from_batches([batch]).cast(schema)])
        while held.num_rows >= ROW_GROUP:
            yield held.slice(0, ROW_GROUP).combine_chunks()
            held = held.slice(ROW_GROUP)
    if held.num_rows:
        yield held.combine_chunks()
