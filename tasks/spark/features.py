"""Totals of a log by Spark: each executor adds up all events of its users.

A task has the users of a range of ids, with the compiled loops of the one-machine night; all sums
are of integers, so that the totals of ranges, put side by side, are those of the whole log.
"""

import pickle
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Row, SparkSession

from tasks.artifacts.records import CleanLog
from tasks.features.aggregate import Totals, aggregate, sum_of_items
from tasks.features.arrays import Cells, EventRules, Users
from tasks.features.build import AddUp
from tasks.features.rollup import DatedRollup, Rollup, merged, roll_up
from tasks.ingest.daily_log import DAY_US, TEXTS, days_of
from tasks.io.columns import TS, VALUE
from tasks.runs.run_folder import Run
from tasks.spark.session import local

#: Events of a range of users: about 100 MB of memory each.
_RANGE_EVENTS = 2_000_000
_ORDER = [TS, *TEXTS, VALUE]


class Part(NamedTuple):
    """The data of every task beside its events."""

    days: dict[int, int]
    item_ids: pa.StringArray
    kinds: Sequence[str]
    rules: EventRules


def add_up_on(session: SparkSession) -> AddUp:
    """Return a way to add up a log: by Spark."""

    def add_up(
        run: Run, log: CleanLog, ids: pa.StringArray, kinds: Sequence[str], rules: EventRules
    ) -> tuple[Totals, int]:
        days = [day.number for day in days_of(log.events)]
        part = Part({day: at for at, day in enumerate(days)}, ids, kinds, rules)
        shared = session.sparkContext.broadcast(pickle.dumps(part))

        def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            if found := list(batches):
                yield packed(totals_of(pa.Table.from_batches(found), pickle.loads(shared.value)))

        n_ranges = max(session.sparkContext.defaultParallelism, log.n_events // _RANGE_EVENTS + 1)
        events = session.read.parquet(local(log.events)).select(*_ORDER)
        by_user = events.repartitionByRange(n_ranges, TEXTS[0]).sortWithinPartitions(*_ORDER)
        rows = by_user.mapInArrow(work, "first string, totals binary").collect()
        parts = [pickle.loads(row["totals"]) for row in sorted(rows, key=_first)]
        if not parts:
            parts = [totals_of(events.limit(0).toArrow(), part)]
        return side_by_side(parts), len(days)

    return add_up


def side_by_side(parts: Sequence[Totals]) -> Totals:
    """Put totals of ranges of users together, the ranges in ascending order of ids."""
    users = (np.concatenate(column) for column in zip(*(each.users for each in parts), strict=True))
    return Totals(
        pa.concat_arrays([each.ids for each in parts]),
        Users(*users),
        sum_of_items([each.items for each in parts]),
        _joined([each.liked for each in parts]),
        _joined([each.seen for each in parts]),
    )


def _joined(parts: Sequence[Cells]) -> Cells:
    """Put the cells of ranges of users together."""
    before = np.cumsum([0, *(len(each.item) for each in parts)])
    starts = [each.start + n for each, n in zip(parts, before, strict=False)]
    rest = (np.concatenate(column) for column in list(zip(*parts, strict=True))[1:])
    return Cells(np.concatenate(starts), *rest)


def _first(row: Row) -> bytes:
    return bytes(row["first"].encode())


def packed(totals: Totals) -> pa.RecordBatch:
    """Return totals as a row: the first user's id, and the totals pickled."""
    first = pa.array([totals.ids[0].as_py()])
    return pa.record_batch(
        [first, pa.array([pickle.dumps(totals)], pa.binary())], ["first", "totals"]
    )


def totals_of(events: pa.Table, part: Part) -> Totals:
    """Add up the events of some users, in order of time."""
    coded = [
        pc.dictionary_encode(events[name].cast(pa.string()).combine_chunks()) for name in TEXTS
    ]
    table = pa.table(
        [*coded, events[TS].cast(pa.timestamp("us")), events[VALUE]], [*TEXTS, TS, VALUE]
    )
    numbers = table[TS].cast(pa.int64()).to_numpy() // DAY_US
    starts = np.flatnonzero(np.diff(numbers, prepend=-1)) if len(numbers) else np.empty(0, int)
    ends = [*starts[1:], len(numbers)]
    rollups = [roll_up(table.slice(a, b - a)) for a, b in zip(starts, ends, strict=False)]
    none = DatedRollup(Rollup.empty(), {})
    dated = DatedRollup(merged(rollups), part.days)
    return aggregate(none, dated, part.item_ids, part.kinds, part.rules)
