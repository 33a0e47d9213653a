"""`nightshelf serve` against FastAPI routes that return a constant, under load over loopback.

Both run on uvicorn with uvloop and httptools, a process each; the constant is one of the service's
own answers: as ready bytes, the strictest rival, and as a dict, which is how people write it. Redis
(a real Valkey), the generator of the load and the publisher are processes too.

- capacity: as many answers as 32 connections get, in rounds that take turns, medians; by the clock
  and for a second of the server's CPU. Users are drawn from all, Zipf-like, so that part of the
  lists come from the process and part from Redis; and from the 500 whose lists it has (kept);
- at half of capacity, at a constant rate, timed from when each request was due: while a further
  generation of the same size is staged, read back and flipped, by a publisher under nice 19; the
  bare route beside it, which shows what the machine itself adds; and while Redis is frozen.

A fault is an answer that is no 200, mixes generations, or never came whole. Above 80 % of a CPU the
generator's figures are suspect, and say so. The last line is throughput over that of the constant
dict, for users drawn from all. A run takes three minutes; a glance, which proves that all is well
and measures little: `--users 5000 --rounds 1 --round-s 1 --seconds 12 --freeze 3`.
"""

import os
import platform
import re
import signal
import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from redis import Redis

from benchmarks._generation import prepare, publish
from benchmarks._generator import closed_loop, open_loop
from benchmarks._load import generators
from benchmarks._night_files import LENGTH
from benchmarks._served import ALL, BARE, DICT, KEPT, Stage, cpu_s, stage

#: How long users come before anything is timed, so that what can be kept is kept.
_WARM_S = 5.0


class Taken(NamedTuple):
    """Answers a second, and for a second of the server's CPU; the generator's share of one."""

    per_s: float
    per_cpu_s: float
    cpu_share: float


def main(
    users: Annotated[int, typer.Option(help="Users with a list.")] = 50_000,
    rounds: Annotated[int, typer.Option(help="Rounds, in which all take turns.")] = 5,
    round_s: Annotated[float, typer.Option(help="Seconds of each turn.")] = 3.0,
    seconds: Annotated[float, typer.Option(help="Seconds at half of capacity.")] = 60.0,
    freeze: Annotated[float, typer.Option(help="Seconds that Redis is frozen.")] = 10.0,
) -> None:
    """Print what it can do, how soon it answers, and the ratio."""
    typer.echo(f"machine: {machine()}")
    with stage(users) as on:
        typer.echo(f"lists: {users:,} users x {LENGTH} items, pages of 10")
        per_s = capacity(on, rounds, round_s)
        half = per_s[ALL] / 2
        overnight(on, users, half, seconds)
        quiet = on.generator.submit(open_loop, on.targets[BARE], half, seconds / 4).result()
        typer.echo(f"{BARE} at the same rate, nothing published: {quiet.words()}")
        frozen(on, half, freeze)
    typer.echo(f"{ALL}, over {BARE}: {per_s[ALL] / per_s[BARE]:.3f}")
    typer.echo(f"{KEPT}, over {BARE}: {per_s[KEPT] / per_s[BARE]:.3f}")
    typer.echo(f"{KEPT}, over {DICT}: {per_s[KEPT] / per_s[DICT]:.3f}")
    typer.echo(f"ratio: {per_s[ALL] / per_s[DICT]:.3f}")


def machine() -> str:
    """Name the machine, and how busy it is before the run begins."""
    about = Path("/proc/cpuinfo")
    named = re.search("model name\\s*: (.*)", about.read_text()) if about.exists() else None
    name = named[1] if named else platform.machine()
    busy = os.getloadavg()[0]
    python = platform.python_version()
    return f"{name}, {os.cpu_count()} CPUs, Python {python}; {busy:.1f} CPUs' work of others before"


def capacity(on: Stage, rounds: int, seconds: float) -> dict[str, float]:
    """Print and return how many answers a second each gives."""
    on.generator.submit(closed_loop, on.targets[ALL], _WARM_S).result()
    taken: dict[str, list[Taken]] = {name: [] for name in on.targets}
    for _ in range(rounds):
        for name, turns in taken.items():
            turns.append(_turn(on, name, seconds))
    medians = {
        name: Taken(*map(statistics.median, zip(*turns, strict=True)))
        for name, turns in taken.items()
    }
    for name, took in medians.items():
        typer.echo(
            f"capacity, {name}: {took.per_s:,.0f} a second, {took.per_cpu_s:,.0f} for a second of "
            f"its CPU ({generators(took.cpu_share)})"
        )
    for name in (ALL, KEPT):
        ratio = medians[name].per_cpu_s / medians[BARE].per_cpu_s
        typer.echo(f"for a second of CPU, {name}, over {BARE}: {ratio:.3f}")
    return {name: took.per_s for name, took in medians.items()}


def _turn(on: Stage, name: str, seconds: float) -> Taken:
    before = cpu_s(on.pids[name])
    load = on.generator.submit(closed_loop, on.targets[name], seconds).result()
    assert not load.faults(), f"{name}: {load.faults()}"
    return Taken(load.per_s, len(load.answers) / (cpu_s(on.pids[name]) - before), load.cpu_share)


def overnight(on: Stage, users: int, per_s: float, seconds: float) -> None:
    """Ask at a constant rate while a generation is published and goes live."""
    run, paths = on.publisher.submit(prepare, on.url, on.folder, users).result()
    asked = on.generator.submit(open_loop, on.targets[ALL], per_s, seconds)
    time.sleep(seconds / 4)
    began, ended = on.publisher.submit(publish, on.url, run, paths).result()
    assert not asked.done(), "it was still publishing at the end: take more --seconds"
    load = asked.result()
    assert run.generation in load.generations(), f"nobody saw generation {run.generation}"
    typer.echo(f"half of capacity for {seconds:g} s, a publish and a flip in it: {load.words()}")
    during = load.between(began, ended)
    typer.echo(f"of that, the {ended - began:.1f} s of the publish: {during.words()}")


def frozen(on: Stage, per_s: float, seconds: float) -> None:
    """Ask at a constant rate while Redis stands still for half of the run."""
    with closing(Redis.from_url(on.url)) as client:
        pid = int(client.info("server")["process_id"])
    asked = on.generator.submit(open_loop, on.targets[ALL], per_s, 2 * seconds)
    time.sleep(seconds / 2)
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)
    thawed = time.monotonic()
    load = asked.result()
    typer.echo(f"Redis frozen for {seconds:g} of {2 * seconds:g} s: {load.words()}")
    fresh = [at.done_s for at in load.answers if at.done_s > thawed and at.verdict.is_fresh]
    assert fresh, "nothing came from Redis again"
    again = min(fresh) - thawed
    typer.echo(f"after that, lists come from Redis again: {again:.2f} s after it woke up")


if __name__ == "__main__":
    typer.run(main)
