"""Publishing a night, from lists to keys that are proven, against `redis-cli --pipe` and redis-py.

All write the same keys, values and times to live into one server of this file's own (it keeps
nothing), a round each in turn; the median of the rounds counts. Ours is timed twice:

- as the night runs it: `stage` and `read_back`, which begin with Parquet files and end with the
  digest of every key read back and a sample of the lists decoded and compared;
- from memory: from the same rows as Arrow batches to keys that are proven: encoded, written, every
  key read back, the digests of both ways compared.

redis-py's pipeline with `json.dumps` is timed from the Parquet files, and from rows that are
Python's dicts already; `redis-cli --pipe` is fed bytes that were made ahead of time. Neither reads
anything back. Prints where the time goes, then each ratio with what stands on both its sides; last,
that from memory over `redis-cli --pipe`.

Run as `python -m benchmarks.publish [--users N] [--rounds N]`.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from redis import Redis

from benchmarks._night_files import LENGTH, make_night
from benchmarks._publish_peers import as_people_write_it, pipe, processor_s
from benchmarks._server import serving
from nightshelf.contract.keys import Keys
from tasks.artifacts.records import Provenance
from tasks.io.byte_strings import Buffer, Bytes
from tasks.publish.commands import set_commands, ttls_of
from tasks.publish.connection import wire
from tasks.publish.keyspace import Digest, Family
from tasks.publish.redis_client import connect
from tasks.publish.send import cut, encoded, read_again, written
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import READ_ROWS, read_back, stage
from tasks.runs.run_folder import Run

Rows = list[tuple[Family, list[pa.RecordBatch]]]
_SETTINGS = PublishSettings()
_PIPE, _PEOPLE, _DICTS = "redis-cli --pipe", "redis-py and json", "the same from dicts"
_MEMORY = "ours from memory"


@dataclass
class Times:
    """Seconds of each round by the clock, of the processors here and of the server's."""

    clock: list[float] = field(default_factory=list)
    here: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)

    def add(self, clock: float, here: float, server: float) -> None:
        """Add a round."""
        self.clock.append(clock)
        self.here.append(here)
        self.server.append(server)

    @property
    def median(self) -> float:
        """The median round, in seconds."""
        return statistics.median(self.clock)


def main() -> None:
    """Time all, a round each in turn, and print the medians of the ratios."""
    parser = argparse.ArgumentParser(description="Time publishing against its peers.")
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving() as url:
        run = Run("shop", 1, datetime(2026, 3, 1, tzinfo=UTC), Path(folder))
        shelves = make_night(run, options.users)
        with closing(connect(url, _SETTINGS)) as client:
            report(compare(client, url, run, shelves, options.rounds))


def compare(
    client: Redis, url: str, run: Run, shelves: tuple[Family, ...], rounds: int
) -> dict[str, Times]:
    """Publish as ours and as the peers do, in turn; return their times by name."""
    ready, rows = run.path("night.resp"), [(each, list(each.batches())) for each in shelves]
    ready.write_bytes(b"".join(each.tobytes() for each in commands(rows)))
    acts: dict[str, Callable[[], Any]] = {
        "encode alone": lambda: sum(map(len, commands(rows))),
        "stage": lambda: stage(run, client, shelves, _SETTINGS, Provenance(LENGTH, "")),
    }
    staged = acts["stage"]()
    acts["read_back"] = lambda: read_back(run, client, shelves, staged, _SETTINGS)
    acts["read_back"]()  # compiled now, both of them
    acts[_MEMORY] = lambda: from_memory(client, rows, staged.digest)
    if shutil.which("redis-cli"):
        acts[_PIPE] = lambda: pipe(url, ready, staged.n_keys)
    acts[_PEOPLE] = lambda: as_people_write_it(client, shelves, _SETTINGS.ttl_s)
    print(f"{staged.n_keys:,} keys, {ready.stat().st_size / 1e6:,.0f} MB; {rounds} rounds, medians")
    return timed(client, acts, rounds)


def timed(client: Redis, acts: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Times]:
    """Do all acts, a round each in turn; only `read_back` finds what the one before it wrote."""
    times = {name: Times() for name in (*acts, _DICTS)}
    for _ in range(rounds):
        for name, act in acts.items():
            if name != "read_back":
                client.flushdb(asynchronous=False)
            before = time.perf_counter(), sum(os.times()[:4]), processor_s(client)
            came = act()
            after = time.perf_counter(), sum(os.times()[:4]), processor_s(client)
            times[name].add(*(later - sooner for later, sooner in zip(after, before, strict=True)))
            if name == _PEOPLE:
                whole = times[name]
                times[_DICTS].add(whole.clock[-1] - came, whole.here[-1] - came, whole.server[-1])
    return times


def report(times: dict[str, Times]) -> None:
    """Print the seconds of all, and the ratios."""
    for name, took in times.items():
        here, server = statistics.median(took.here), statistics.median(took.server)
        print(f"{name:20}{took.median:6.2f} s; CPU {here:.2f} s here, {server:.2f} s the server's")
    for mine in (["stage"], ["stage", "read_back"], [_MEMORY]):
        for peer in (_DICTS if mine == [_MEMORY] else _PEOPLE, _PIPE):
            if peer in times:
                print(f"{peer}, unverified / {' + '.join(mine)}: {ratio(times, peer, mine):.2f}")
    if _PIPE in times:
        print(f"ratio: {ratio(times, _PIPE, [_MEMORY]):.2f}")
    else:
        print(f"{_PIPE} is not installed (Debian: redis-tools): no ratio over it")


def ratio(times: dict[str, Times], peer: str, mine: list[str]) -> float:
    """Return the median over the rounds of the peer's time over ours."""
    ours = [sum(took) for took in zip(*(times[name].clock for name in mine), strict=True)]
    each = [theirs / my for theirs, my in zip(times[peer].clock, ours, strict=True)]
    return float(statistics.median(each))


def from_memory(client: Redis, rows: Rows, wanted: str) -> None:
    """Publish rows that are in memory, and prove every key by the digest."""
    there, back = (Digest(Keys("shop").prefix(1)) for _ in range(2))
    bounds = _SETTINGS.max_batch_keys, _SETTINGS.max_batch_bytes
    with wire(client, _SETTINGS.n_connections) as lines:
        deque(written(lines, encoded(rows), there, _SETTINGS.ttl_s, *bounds), maxlen=0)
        for family, some in rows:
            deque(read_again(lines, family, ids(family, some), back), maxlen=0)
    assert there.hexdigest() == back.hexdigest() == wanted


def ids(family: Family, rows: list[pa.RecordBatch]) -> Iterator[pa.Array]:
    """Yield the ids of rows, as many at a time as `read_back` asks for."""
    table = pa.Table.from_batches([batch.select([family.id_column]) for batch in rows])
    for batch in table.combine_chunks().to_batches(READ_ROWS):
        yield batch.column(0)


def commands(rows: Rows) -> Iterator[Bytes]:
    """Yield what ours sends, made by one thread; each stands until the next is asked for."""
    digest, room = Digest(Keys("shop").prefix(1)), Buffer()
    made = (family.encode(batch) for family, some in rows for batch in some)
    for batch in cut(made, _SETTINGS.max_batch_keys, _SETTINGS.max_batch_bytes):
        for part in batch.parts:
            digest.add_all(part.keys, part.values)
            ttls_s = ttls_of(part.family, part.keys, _SETTINGS.ttl_s)
            yield set_commands(part.keys, part.values, ttls_s, room)


if __name__ == "__main__":
    main()
