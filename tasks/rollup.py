"""A rollup: what happened on a UTC day, or on several, added up by user, item and event type.

It follows from the events of its days alone: neither from the settings nor from the night that made
it. Weights, decay and what a type counts for are applied when a night merges its rollups.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.days import TEXTS, Day
from tasks.duck import query

_TEXT = pa.dictionary(pa.int32(), pa.string())

#: Grain: day x user x item x event type, or less (`sql/rollup.sql`); in order of user and item, so
#: that a user's rows are found together. `valued` counts the events with a value, `millionths` is
#: the sum of their values.
SCHEMA = pa.schema(
    [
        *((name, _TEXT) for name in TEXTS),
        ("day", pa.date32()),
        ("events", pa.int32()),
        ("first_ts", pa.timestamp("us")),
        ("last_ts", pa.timestamp("us")),
        ("valued", pa.int32()),
        ("millionths", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Rolled:
    """A rollup of some days (`SCHEMA`), and tonight's number of each; -1 to pass it over."""

    table: pa.Table
    days: Mapping[int, int]


def roll_up(db: duckdb.DuckDBPyConnection, day: Day, events: pa.Table) -> pa.Table:
    """Add up the events of a day; returns a table of `SCHEMA`, in order of user, item and type."""
    texts = {name: _sorted(_whole(events.column(name))) for name in TEXTS}
    numbers = [column.indices for column in texts.values()]
    columns = [*numbers, *(events.column(name) for name in ("ts", "value"))]
    row = pa.array(np.arange(len(events)))
    given = pa.table([*columns, row], ["user", "item", "type", "ts", "value", "row"])
    with db.cursor() as cursor:
        cursor.register("day_events", given)
        summed = cursor.sql(query("rollup")).to_arrow_table()
    for at, (name, column) in enumerate(texts.items()):
        indices = _whole(summed.column(at))
        summed = summed.set_column(
            at, name, pa.DictionaryArray.from_arrays(indices, column.dictionary)
        )
    days = pa.array(np.full(len(summed), day.number, np.int32)).view(pa.date32())
    return summed.add_column(len(TEXTS), "day", days).cast(SCHEMA)


def in_bounds(rollup: pa.Table, days: Collection[int]) -> bool:
    """Return whether all rows are of days between these, and every number of a text names one."""
    for name in TEXTS:
        for chunk in rollup.column(name).chunks:
            least, most = pc.min_max(chunk.indices).values()
            if len(chunk) and not 0 <= least.as_py() <= most.as_py() < len(chunk.dictionary):
                return False
    if not (len(rollup) and days):
        return False
    least, most = pc.min_max(rollup.column("day").cast(pa.int32())).values()
    return bool(min(days) <= least.as_py() <= most.as_py() <= max(days))


def together(rollups: list[pa.Table]) -> pa.Table:
    """Put rollups under one another, with one dictionary of each kind of id."""
    table = pa.concat_tables([SCHEMA.empty_table(), *rollups])
    return pa.table([_whole(table.column(name)) for name in SCHEMA.names], SCHEMA)


def take(rollup: pa.Table, rows: pa.Array) -> pa.Table:
    """Return some rows of a rollup, and of its dictionaries what they name."""
    columns = []
    for name in SCHEMA.names:  # one after another: a column is large
        column = _whole(rollup.column(name)).take(rows)
        columns.append(_sorted(column) if name in TEXTS else column)
    return pa.table(columns, SCHEMA)


def _sorted(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return the same texts with a dictionary that is sorted and has no others."""
    indices, texts = column.indices.to_numpy(), column.dictionary
    named = np.zeros(len(texts), np.bool_)
    named[indices] = True
    used = np.flatnonzero(named)
    used = used[pc.sort_indices(texts.take(pa.array(used))).to_numpy()]
    place = np.zeros(len(texts), np.int32)
    place[used] = np.arange(len(used), dtype=np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(place[indices]), texts.take(pa.array(used)))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece."""
    return column.unify_dictionaries().combine_chunks()
