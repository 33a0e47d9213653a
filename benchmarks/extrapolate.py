"""Time, memory and servers of logs larger than any measured here, computed from measured steps.

    python -m benchmarks.extrapolate                                   the tables of docs/scale.md
    python -m benchmarks.extrapolate --users 3e6 --items 2e5 --events 2e8       one, step by step

A step's seconds are those of the measured night (`benchmarks/_measured.py`) times the growth of
users, items and events, each to the power of its exponent, or in proportion to the step's driver.
The least is the sum of the smaller of both, step by step, the most that of the larger: exponents
are of smaller logs, where fixed costs hide growth. Memory above that of the libraries grows in
proportion; in shards the log's part of the features stays within `machine.memory_gb`, and the cells
and totals of users come on top.

The last line is the ratio of the least to the most for a billion events of 20 million users.
"""

import math
from typing import Annotated

import typer

from benchmarks._log import LogSize
from benchmarks._measured import LARGE, LIBRARIES_GB, NIGHT, Step

SIZES = (
    LARGE,
    LogSize(users=10_000_000, items=200_000, events=200_000_000),
    LogSize(users=20_000_000, items=200_000, events=1_000_000_000),
    LogSize(users=100_000_000, items=500_000, events=1_000_000_000),
)
#: Memory of the log in shards: the default on a machine of 16 GB and more.
_MEMORY_GB = 8
#: Bytes of the features beside the log: a cell of the matrices, and a user's totals.
_CELL_BYTES, _USER_BYTES = 20, 200
#: Bytes in Redis of a list of 50 ids of 12 characters with the user's row, and of an item
#: (docs/sizing.md); generations held at once; memory of a server.
_LIST_BYTES, _ITEM_BYTES, _GENERATIONS, _SERVER_GB = 2_190, 1_000, 4, 64


def main(
    users: Annotated[float, typer.Option(help="Users with events.")] = 0,
    items: Annotated[float, typer.Option(help="Items of the catalogue.")] = LARGE.items,
    events: Annotated[float, typer.Option(help="Events within the log.")] = LARGE.events,
) -> None:
    """Print the tables of docs/scale.md, or the computation for one log."""
    if users:
        typer.echo(step_by_step(LogSize(int(users), int(items), int(events))))
        return
    typer.echo(tables())
    least, most = bounds(SIZES[2])
    typer.echo(f"ratio: {least / most:.2f}")


def growth(size: LogSize) -> dict[str, float]:
    """Return how many times the measured log's each number is."""
    users, items = size.users / LARGE.users, size.items / LARGE.items
    events = size.events / LARGE.events
    return {
        "users": users,
        "items": items,
        "events": events,
        "users x items": users * items,
        "nothing": 1.0,
    }


def by_exponents_s(step: Step, size: LogSize) -> float:
    """Return the seconds of a step by its exponents."""
    by = growth(size)
    powers = ((by["users"], step.users), (by["items"], step.items), (by["events"], step.events))
    return step.seconds * math.prod(math.pow(of, power) for of, power in powers)


def in_proportion_s(step: Step, size: LogSize) -> float:
    """Return the seconds of a step in proportion to its driver."""
    return step.seconds * growth(size)[step.driver]


def bounds(size: LogSize) -> tuple[float, float]:
    """Return the least and the most seconds of a night."""
    both = [
        sorted((by_exponents_s(step, size), in_proportion_s(step, size))) for step in NIGHT.values()
    ]
    return sum(least for least, _ in both), sum(most for _, most in both)


def gb_at_once(step: Step, size: LogSize) -> float:
    """Return the peak memory of a step."""
    by = growth(size)
    times = max((by[of] for of in step.memory), default=1)
    return LIBRARIES_GB + (step.gb - LIBRARIES_GB) * times


def gb_in_shards(name: str, size: LogSize) -> float:
    """Return the peak memory of a step where features are built in shards."""
    at_once = gb_at_once(NIGHT[name], size)
    if name != "build_features":
        return at_once
    beside = size.events * _CELL_BYTES + size.users * _USER_BYTES
    return min(at_once, LIBRARIES_GB + _MEMORY_GB + beside / 1e9)


def tables() -> str:
    """Return the tables of the night and of Redis, by size."""
    night = [
        "| users | items | events | two cores, hours | core hours | at once, GB | in shards, GB |",
        "|---|---|---|---|---|---|---|",
    ]
    redis = [
        "| users | items | a generation, GB | `maxmemory`, GB | servers | publishing, minutes |",
        "|---|---|---|---|---|---|",
    ]
    for size in SIZES:
        who = f"| {size.users:,} | {size.items:,} |"
        least, most = bounds(size)
        at_once = max(gb_at_once(step, size) for step in NIGHT.values())
        shards = max(gb_in_shards(name, size) for name in NIGHT)
        night.append(
            f"{who} {size.events:,} | {least / 3600:.2f} to {most / 3600:.2f} | "
            f"{least / 1800:.1f} to {most / 1800:.1f} | {at_once:.0f} | {shards:.0f} |"
        )
        redis.append(f"{who} {_of_redis(size)} |")
    return "\n".join([*night, "", *redis])


def _of_redis(size: LogSize) -> str:
    """Return the cells of Redis: a generation, all of them, servers, minutes of publishing."""
    gb = (size.users * _LIST_BYTES + size.items * _ITEM_BYTES) / 1e9
    maxmemory = _GENERATIONS * gb + 0.25
    servers = math.ceil(maxmemory / _SERVER_GB)
    seconds = sum(in_proportion_s(NIGHT[name], size) for name in ("stage", "read_back")) / servers
    return f"{gb:.1f} | {maxmemory:.0f} | {servers} | {seconds / 60:.1f}"


def step_by_step(size: LogSize) -> str:
    """Return the computation of each step for one log."""
    lines = [f"{size}, from {LARGE}", ""]
    for name, step in NIGHT.items():
        by, powers = growth(size), {of: getattr(step, of) for of in ("users", "items", "events")}
        grown = " x ".join(f"{by[of]:g}^{power:g}" for of, power in powers.items())
        lines.append(
            f"{name:16} {step.seconds:g} s x {grown} = {by_exponents_s(step, size):,.0f} s; "
            f"in proportion to {step.driver}: {in_proportion_s(step, size):,.0f} s; "
            f"{gb_at_once(step, size):.1f} GB at once, {gb_in_shards(name, size):.1f} in shards"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
