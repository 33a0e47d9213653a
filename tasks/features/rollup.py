"""Rollups: the events of one or more UTC days, added up by user, item and event type.

A rollup follows from the events of its days alone, not from settings or the night that made it:
weights, decay and the rules of event types are applied when a night aggregates its rollups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.features._jit.rollup import add_up, place_rows, sort_rows, sorted_by
from tasks.features.arrays import Ints, Rows
from tasks.ingest.daily_log import DAY_US, TEXTS
from tasks.io.columns import TS, VALUE
from tasks.io.parallel import in_threads, row_ranges


@dataclass(frozen=True)
class Rollup:
    """Rows, and the texts of their numbers: ascending, each in use.

    Grain: day x user x item x event type, or less.
    """

    users: pa.StringArray
    items: pa.StringArray
    types: pa.StringArray
    rows: Rows

    def __post_init__(self) -> None:
        for numbers in self.rows:
            numbers.flags.writeable = False

    @staticmethod
    def empty() -> "Rollup":
        """Return the rollup of no day."""
        longs, ints, strings = (
            np.empty(0, np.int64),
            np.empty(0, np.int32),
            pa.array([], pa.string()),
        )
        none = np.zeros(1, np.int64)
        rows = Rows(none, ints, ints, longs, none, longs, ints, longs, ints, longs)
        return Rollup(strings, strings, strings, rows)


@dataclass(frozen=True)
class DatedRollup:
    """A rollup, and tonight's number of each of its days; -1 leaves a day out."""

    rollup: Rollup
    days: Mapping[int, int]


def roll_up(events: pa.Table) -> Rollup:
    """Add up the events of a day, which are in order of time (`daily_log.read_days`)."""
    (user, users), (item, items), (kind, types) = (_numbered(events.column(n)) for n in TEXTS)
    order = np.arange(len(events))
    for numbers, distinct in ((kind, types), (item, items), (user, users)):
        order = sorted_by(numbers, len(distinct), order)
    ts_us = _whole(events.column(TS)).view(pa.int64()).to_numpy()
    value = np.array(pc.fill_null(_whole(events.column(VALUE)), np.nan))
    rows = add_up(order, user, item, kind, ts_us, value, len(users))
    return Rollup(users, items, types, rows)


def merged(rollups: Sequence[Rollup]) -> Rollup:
    """Merge rollups; of none, return the empty one."""
    if len(rollups) < 2:
        return rollups[0] if rollups else Rollup.empty()
    users, user_at = united([each.users for each in rollups])
    items, item_at = united([each.items for each in rollups])
    types, type_at = united([each.types for each in rollups])
    counts = np.zeros(len(users) + 1, np.int64)
    for each, places in zip(rollups, user_at, strict=True):
        counts[places + 1] += np.diff(each.rows.start)
    start = np.cumsum(counts)
    cursor, n = start[:-1].copy(), start[-1]
    item, kind = np.empty(n, np.int32), np.empty(n, np.int32)
    last_us, extra = np.empty(n, np.int64), np.empty(n, np.int32)
    n_extras = np.cumsum([0, *(len(each.rows.row) for each in rollups)])

    def work(first: int, last: int) -> None:
        for number, each in enumerate(rollups):
            own = np.searchsorted(user_at[number], (first, last))
            at = user_at[number], item_at[number], type_at[number]
            n = int(n_extras[number])
            place_rows(own[0], own[1], each.rows, *at, n, cursor, item, kind, last_us, extra)
        sort_rows(first, last, start, item, kind, last_us, extra)

    in_threads(work, row_ranges(start))
    row = np.flatnonzero(extra >= 0)
    more = (
        np.concatenate([getattr(each.rows, name) for each in rollups])[extra[row]]
        for name in ("events", "first_us", "valued", "millionths")
    )
    extra_start = np.searchsorted(row, start)
    return Rollup(users, items, types, Rows(start, item, kind, last_us, extra_start, row, *more))


def without(rollup: Rollup, days: Sequence[int]) -> Rollup:
    """Return the rollup without some days, and without texts that only those have."""
    if not days:
        return rollup
    rows = rollup.rows
    kept = ~np.isin(rows.last_us // DAY_US, days)
    before = np.concatenate(([0], np.cumsum(kept)))
    extra = kept[rows.row]
    extra_before = np.concatenate(([0], np.cumsum(extra)))
    start, extra_start = before[rows.start], extra_before[rows.extra_start]
    used = np.diff(start) > 0
    item, items = _used(rows.item[kept], rollup.items)
    kind, types = _used(rows.type[kept], rollup.types)
    ends = np.concatenate(([True], used))
    left = Rows(
        start=start[ends],
        item=item,
        type=kind,
        last_us=rows.last_us[kept],
        extra_start=extra_start[ends],
        row=before[rows.row[extra]],
        events=rows.events[extra],
        first_us=rows.first_us[extra],
        valued=rows.valued[extra],
        millionths=rows.millionths[extra],
    )
    return Rollup(rollup.users.filter(pa.array(used)), items, types, left)


def united(each: Sequence[pa.StringArray]) -> tuple[pa.StringArray, list[Ints]]:
    """Return the distinct texts, ascending, and the positions of each array's texts among them."""
    parts = pa.chunked_array(each, pa.string()).dictionary_encode().chunks
    if not parts:
        return pa.array([], pa.string()), [np.empty(0, np.int32) for _ in each]
    # The parts share one dictionary: to unify 90 of a million texts would take half a minute.
    numbers = pa.concat_arrays([part.indices for part in parts])
    one = pa.DictionaryArray.from_arrays(numbers, parts[0].dictionary)
    numbers, distinct = _numbered(pa.chunked_array([one]))
    return distinct, np.split(numbers, np.cumsum([len(strings) for strings in each])[:-1])


def _numbered(column: pa.ChunkedArray) -> tuple[Ints, pa.StringArray]:
    """Return the numbers of a column's texts, and the distinct texts, ascending."""
    whole = _whole(column.unify_dictionaries())
    numbers, distinct = _used(whole.indices.to_numpy(), whole.dictionary)
    order = pc.sort_indices(distinct).to_numpy()
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return place[numbers], distinct.take(pa.array(order))


def _used(numbers: Ints, strings: pa.StringArray) -> tuple[Ints, pa.StringArray]:
    """Drop the strings without a number, and renumber."""
    named = np.zeros(len(strings), np.bool_)
    named[numbers] = True
    place = np.cumsum(named, dtype=np.int32) - np.int32(1)
    return place[numbers], strings.filter(pa.array(named))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece."""
    return column.combine_chunks()
