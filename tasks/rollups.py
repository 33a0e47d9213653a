"""A night's rollups: found where an earlier night left them, made where none did."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.ahead import ahead
from tasks.days import Day, days_of, read_days
from tasks.records import CleanLog
from tasks.rollup import Rolled, roll_up, take, together
from tasks.rollup_store import Addresses, Rollups, addresses
from tasks.run import Run
from tasks.tally_types import Longs

#: When so many days are not among those merged, they are merged anew. Reading a loose day takes as
#: long as reading five merged ones; merging takes as long as reading all, twice.
_MAX_LOOSE = 7
#: A day of fewer events is added up as soon as a file of it is opened, so it gets none.
_FEW_EVENTS = 1_000


@dataclass(frozen=True)
class Gathered:
    """The rollups of a log: those merged by an earlier night, and the others.

    `days` are the log's, in order: UTC days since 1970-01-01; `n_new` of them were added up now.
    """

    older: Rolled
    newer: Rolled
    days: list[int]
    n_new: int


def gather(run: Run, log: CleanLog, db: duckdb.DuckDBPyConnection) -> Gathered:
    """Return the rollups of all days of a clean log, and keep them for the nights to come."""
    store, days = Rollups.of(run), days_of(log.events)
    wanted = addresses(days)
    merged, had = store.merged(wanted)
    number = {day: at for at, day in enumerate(wanted)}
    older = Rolled(
        merged,
        {day: number[day] if wanted.get(day) == address else -1 for day, address in had.items()},
    )
    loose = [day for day in days if older.days.get(day.number, -1) < 0]
    tables, n_new = _find_or_make(store, log, db, loose, wanted)
    if len(loose) > _MAX_LOOSE:
        older, tables, loose = Rolled(_merge(older, tables), number), [], []
        store.keep_merged(wanted, older.table)
    newer = Rolled(together(tables), {day.number: number[day.number] for day in loose})
    store.use(wanted)
    return Gathered(older, newer, list(wanted), n_new)


def _find_or_make(
    store: Rollups,
    log: CleanLog,
    db: duckdb.DuckDBPyConnection,
    days: Sequence[Day],
    wanted: Addresses,
) -> tuple[list[pa.Table], int]:
    """Return the rollups of some days, in order, and how many of them had to be made."""

    def find(day: Day) -> pa.Table | None:
        return store.day(day.number, wanted[day.number])

    def make(piece: tuple[Day, pa.Table]) -> pa.Table:
        day, events = piece
        rollup = roll_up(db, day, events)
        if len(events) >= _FEW_EVENTS:
            store.keep_day(day.number, wanted[day.number], rollup)
        return rollup

    found = list(ahead(find, (day for day in days)))
    missing = [day for day, rollup in zip(days, found, strict=True) if rollup is None]
    made = ahead(make, read_days(log.events, missing))
    return [next(made) if rollup is None else rollup for rollup in found], len(missing)


def _merge(older: Rolled, tables: list[pa.Table]) -> pa.Table:
    """Put rollups together, in order of user and item, without the days to pass over."""
    table = together([older.table, *tables])
    n_older = len(older.table)
    tables.clear()  # they are large, and not needed twice
    rows = np.argsort(_ranks(table, "user_id") << 32 | _ranks(table, "item_id"))
    day = table.column("day").chunk(0).view(pa.int32()).to_numpy()
    stale = [day for day, number in older.days.items() if number < 0]
    gone = (rows < n_older) & np.isin(day, stale)[rows] if stale else np.zeros(len(rows), np.bool_)
    return take(table, pa.array(rows[~gone]))


def _ranks(table: pa.Table, column: str) -> Longs:
    """Return where each row's text stands among all texts of the column, in order."""
    texts = table.column(column).chunk(0)
    order = pc.sort_indices(texts.dictionary).to_numpy()
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    found: Longs = ranks[texts.indices.to_numpy()]
    return found
