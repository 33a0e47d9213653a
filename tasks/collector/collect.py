"""Collection of tracked events into the Parquet log: written, made durable, acknowledged.

An entry is acknowledged once its file is durable, and leaves the stream after that. A collector may
die anywhere: unacknowledged entries are read again, and the night counts one event for each
`event_id` (docs/decisions/0023-collect.md).
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from redis import Redis

from nightshelf.contract.feature_rules import Counting
from nightshelf.contract.keys import Keys
from tasks.collector.event_schema import EVENTS, ORDER, Entry, Malformed, Row, row_of
from tasks.collector.event_stream import Chunk, EventStream
from tasks.collector.log_files import (
    QUARANTINE,
    name_of_entries,
    own_files,
    quarantine_of,
    write_durably,
)
from tasks.io.columns import EVENT_TYPE, TS
from tasks.io.disk import written_whole

#: Entries a round trip; a batch exceeds its bounds by fewer.
_READ = 250
_ADVICE = "No event is lost: they stay in Redis. Make room, and the next run collects them"
#: Unknown event types named in a run's summary.
_MAX_NAMED = 5


@dataclass(frozen=True)
class CollectSettings:
    """Size of a batch, and length of a run.

    - `max_s`: a run ends after the batch during which this has passed, or when all is collected.
    - `max_batch_entries`, `max_batch_bytes`: a batch, which becomes a file a date, ends with the
      round trip (of up to 250 entries) that reaches either.
    - `claim_after_s`: entries taken so long ago and not acknowledged are collected again.
    - `clock_tolerance_s`: how far beyond its arrival an event's `ts` may lie.
    - `replay`: an event's `arrived_at` is its `ts`, as for past days that are played again; else it
      is the time at which Redis took it.
    """

    max_s: PositiveFloat = 50.0
    max_batch_entries: PositiveInt = 10_000
    max_batch_bytes: PositiveInt = 16 * 2**20
    claim_after_s: NonNegativeFloat = 120.0
    clock_tolerance_s: NonNegativeFloat = 3600.0
    replay: bool = False


@dataclass(frozen=True)
class Collected:
    """Summary of one run.

    - `n_claimed`: entries read that a dead collector had taken.
    - `n_lost`: entries that the writers' bound dropped before they were read.
    - `n_unsure`: entries that were gone too, erased on purpose or written by one that died.
    - `malformed`: entries that are no event, by reason; they stand in `quarantine`.
    - `n_unknown`: events of types that the night's settings do not name, collected all the same;
      `unknown` counts the first few of these types.
    - `restarted`: the stream that was collected before is gone, with what was in it.
    - `mended`: its ids had run far ahead of the clock, and were set back.
    """

    quarantine: Path
    n_events: int
    n_malformed: int
    n_claimed: int
    n_files: int
    n_trimmed: int
    n_lost: int
    n_unsure: int
    malformed: dict[str, int]
    n_unknown: int = 0
    unknown: dict[str, int] = field(default_factory=dict)
    restarted: bool = False
    mended: bool = False


def collect(
    client: Redis,
    namespace: str,
    events_dir: Path,
    settings: CollectSettings,
    counting: Counting | None = None,
) -> Collected:
    """Move entries from the stream into files, those of a dead collector first.

    `counting` has the event types that the night knows; without it all are known.
    """
    stream = EventStream(client, Keys(namespace).events)
    again = _has_collected(events_dir)
    restarted = stream.join(again=again) and again
    until = time.monotonic() + settings.max_s
    n: Counter[str] = Counter()
    malformed: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    for origin, batch in _batches(stream, settings):
        sorted_out = _sort_out(batch.entries, settings)
        with written_whole(events_dir.absolute().parent, "collecting events", _ADVICE):
            n["files"] += _store(sorted_out, events_dir)
        stream.acknowledge(batch.entries)
        n.update({origin: len(batch.entries), "lost": batch.n_lost, "unsure": batch.n_unsure})
        n["trimmed"] += stream.trim()
        malformed.update(reason for _, reason in sorted_out.malformed)
        for event_type in sorted_out.unknown(counting):
            n["unknown"] += 1
            if event_type in unknown or len(unknown) < _MAX_NAMED:
                unknown[event_type] += 1
        if time.monotonic() >= until:
            break
    return Collected(
        quarantine=quarantine_of(events_dir),
        n_events=n["claimed"] + n["new"] - malformed.total(),
        n_malformed=malformed.total(),
        n_claimed=n["claimed"],
        n_files=n["files"],
        n_trimmed=n["trimmed"],
        n_lost=n["lost"],
        n_unsure=n["unsure"],
        malformed=dict(sorted(malformed.items())),
        n_unknown=n["unknown"],
        unknown=dict(sorted(unknown.items())),
        restarted=restarted,
        mended=stream.mend(),
    )


def _has_collected(events_dir: Path) -> bool:
    """Tell whether a collector has written here."""
    return any(own_files(folder) for folder in events_dir.glob("date=*/"))


def _batches(stream: EventStream, settings: CollectSettings) -> Iterator[tuple[str, Chunk]]:
    """Yield batches to store; claimed entries stay apart, to give the same files if they can."""
    claimed = stream.claim(_READ, settings.claim_after_s)
    yield from (("claimed", batch) for batch in _joined(claimed, settings))
    yield from (("new", batch) for batch in _joined(stream.read(_READ), settings))


def _joined(chunks: Iterable[Chunk], settings: CollectSettings) -> Iterator[Chunk]:
    """Join chunks up to the bounds of a batch, without reading ahead."""
    joined, n_bytes = Chunk([]), 0
    for chunk in chunks:
        joined = Chunk(
            joined.entries + chunk.entries,
            joined.n_lost + chunk.n_lost,
            joined.n_unsure + chunk.n_unsure,
        )
        n_bytes += sum(len(k) + len(v) for _, fields in chunk.entries for k, v in fields.items())
        if len(joined.entries) >= settings.max_batch_entries or n_bytes >= settings.max_batch_bytes:
            yield joined
            joined, n_bytes = Chunk([]), 0
    yield joined


@dataclass(frozen=True)
class _SortedOut:
    """Entries by the date of their rows, and malformed ones with the reason."""

    days: dict[str, list[tuple[Entry, Row]]]
    malformed: list[tuple[Entry, str]]

    def unknown(self, counting: Counting | None) -> Iterator[str]:
        """Yield the type of each event of a type that the night does not know."""
        for row in (row for rows in self.days.values() for _, row in rows):
            if counting and not counting.knows(row[EVENT_TYPE]):
                yield row[EVENT_TYPE]


def _sort_out(entries: Iterable[Entry], settings: CollectSettings) -> _SortedOut:
    sorted_out = _SortedOut({}, [])
    for entry in entries:
        try:
            row = row_of(entry, settings.clock_tolerance_s, replay=settings.replay)
        except Malformed as malformed:
            sorted_out.malformed.append((entry, str(malformed)))
        else:
            day = row[TS].date().isoformat()
            sorted_out.days.setdefault(day, []).append((entry, row))
    return sorted_out


def _store(sorted_out: _SortedOut, events_dir: Path) -> int:
    """Write a file a date, and one of malformed entries; return the number of files."""
    for day, found in sorted_out.days.items():
        name = name_of_entries("tracked", (entry for entry, _ in found))
        table = pa.Table.from_pylist([row for _, row in found], EVENTS)
        write_durably(events_dir / f"date={day}" / name, table.sort_by(ORDER))
    if sorted_out.malformed:
        name = name_of_entries("malformed", (entry for entry, _ in sorted_out.malformed))
        write_durably(quarantine_of(events_dir) / name, _as_found(sorted_out.malformed))
    return len(sorted_out.days) + bool(sorted_out.malformed)


def _as_found(malformed: Iterable[tuple[Entry, str]]) -> pa.Table:
    """Return malformed entries as a table, with all their fields as bytes."""
    rows = [
        {
            "entry_id": entry_id.decode(),
            "reason": reason,
            "fields": [{"name": name, "value": value} for name, value in fields.items()],
        }
        for (entry_id, fields), reason in malformed
    ]
    return pa.Table.from_pylist(rows, QUARANTINE)
