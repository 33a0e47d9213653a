"""A night's rollups: reused where an earlier night stored them, made otherwise."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from tasks.artifacts.records import CleanLog
from tasks.features.rollup import DatedRollup, Rollup, merged, roll_up, without
from tasks.features.rollup_store import Rollups, addresses
from tasks.features.user_shards import Shard, split
from tasks.ingest.daily_log import Day, days_of, read_days
from tasks.io.memory import memory_bytes
from tasks.io.parallel import parallel_map
from tasks.runs.run_folder import Run

#: With more days outside the merged rollup, all are merged anew. Loose days are merged every night;
#: merging all takes about as long as a night with this many.
_MAX_LOOSE = 7
#: A day of fewer events is added up as fast as a file is opened, so it gets none.
_FEW_EVENTS = 1_000
#: Bytes that an event of a day takes while the day is added up.
_BYTES_AN_EVENT = 100
_WHOLE = Shard()


@dataclass(frozen=True)
class Gathered:
    """The rollups of a log: the merged one of an earlier night, and the merged rest.

    `days` are the log's, in order: UTC days since 1970-01-01; `n_new` of them were added up now.
    """

    older: DatedRollup
    newer: DatedRollup
    days: list[int]
    n_new: int


def gather(run: Run, log: CleanLog, shard: Shard = _WHOLE) -> Gathered:
    """Return the rollups of a clean log's days, and store new ones for later nights.

    They are of a shard's users; a day that is added up now is added up for all shards.
    """
    store, days = Rollups.of(run), days_of(log.events)
    wanted = addresses(days, shard)
    rollup, had = store.merged(wanted)
    number = {day: at for at, day in enumerate(wanted)}
    older = DatedRollup(
        rollup,
        {day: number[day] if wanted.get(day) == address else -1 for day, address in had.items()},
    )
    loose = [day for day in days if older.days.get(day.number, -1) < 0]
    rollups, n_new = _find_or_make(store, log, loose, shard)
    if len(loose) > _MAX_LOOSE:
        gone = [day for day, place in older.days.items() if place < 0]
        older = DatedRollup(merged([without(rollup, gone), *rollups]), number)
        rollups, loose = [], []
        store.keep_merged(wanted, older.rollup)
    newer = DatedRollup(merged(rollups), {day.number: number[day.number] for day in loose})
    store.use(wanted)
    return Gathered(older, newer, list(wanted), n_new)


def _find_or_make(
    store: Rollups, log: CleanLog, days: Sequence[Day], shard: Shard
) -> tuple[list[Rollup], int]:
    """Return the rollups of some days of a shard, in order, and the number made now."""
    wanted = addresses(days, shard)

    def find(day: Day) -> Rollup | None:
        return store.day(day.number, wanted[day.number])

    def make(dated: tuple[Day, pa.Table]) -> Rollup:
        day, events = dated
        stored = len(events) >= _FEW_EVENTS
        shards = shard.all if stored else [shard]
        own = Rollup.empty()
        for each, part in zip(shards, split(events, shards), strict=True):
            rollup = roll_up(part)
            if stored:
                store.keep_day(day.number, addresses([day], each)[day.number], rollup)
            own = rollup if each == shard else own
        return own

    found = list(parallel_map(find, (day for day in days)))
    missing = [day for day, rollup in zip(days, found, strict=True) if rollup is None]
    made = parallel_map(make, read_days(log.events, missing), _days_at_once(missing))
    return [next(made) if rollup is None else rollup for rollup in found], len(missing)


def _days_at_once(days: Sequence[Day]) -> int:
    """Return the number of days to add up side by side: as many as there is memory for."""
    largest = max((day.stop - day.start for day in days), default=1)
    return max(1, min(os.cpu_count() or 1, memory_bytes() // (_BYTES_AN_EVENT * largest)))
