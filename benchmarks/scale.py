"""Time and memory of each step of the night as the log grows.

From a base (a hundredth of the large log in every direction) users, items, events and then all
three grow by 2, 4 and 8. Each size is a night in a process of its own, without Prefect, against one
server, after a small night that loads compiled code. The exponent of a step is the slope of its
seconds over the size, both as logarithms, by least squares: 1 is in proportion. A step that stays
under 0.2 s has none.

Memory is the kernel's peak of resident memory by the night's journal (Linux), libraries and what
earlier steps left included; 0 for a step without a line in it. The extrapolation takes the largest
size and the exponents of all three. `--full` runs the large log itself, once; it needs about 12 GB
for the night and as much again for the server and the folder.
"""

import math
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer
from redis import Redis

from benchmarks._log import AS_OF, LogSize, MadeLog, make_log
from benchmarks._night_steps import Clock, whole_night
from benchmarks._server import serving
from tasks.runs.run_folder import Run
from tasks.settings import Settings

LARGE = LogSize(users=1_000_000, items=100_000, events=50_000_000)
GROWTH = (1, 2, 4, 8)
AXES = {
    "users": ("users",),
    "items": ("items",),
    "events": ("events",),
    "all": ("users", "items", "events"),
}
_WARM = LogSize(users=1_000, items=500, events=20_000)
_SHORT_S = 0.2
#: What the night of the large log may take on two cores; the ratio is against it.
_TARGET_S = 480
_NIGHT = "the night"


@dataclass(frozen=True)
class Cost:
    """Seconds and peak memory (GB) by step; `the night` is their sum, and the highest of them."""

    seconds: dict[str, float]
    gb: dict[str, float]


def main(
    share: Annotated[float, typer.Option(help="The base, as a share of the large log.")] = 0.01,
    full: Annotated[bool, typer.Option("--full", help="Run the large log itself, once.")] = False,
) -> None:
    """Print growth exponents and the extrapolation, or what the large log takes."""
    if full:
        print(LARGE)
        show(measure(LARGE))
        return
    base = grown(LARGE, AXES["all"], share)
    first = measure(base)
    costs = {axis: [first] for axis in AXES}
    for axis, growing in AXES.items():
        for factor in GROWTH[1:]:
            size = grown(base, growing, factor)
            costs[axis].append(measure(size))
            last = costs[axis][-1]
            print(f"{size}: {last.seconds[_NIGHT]:.1f} s, {last.gb[_NIGHT]:.2f} GB", flush=True)
    print(f"\nexponents from {base}, each times {GROWTH[-1]}; seconds and GB of all times that")
    print(f"  {'':16}" + "".join(f"{axis:>9}" for axis in AXES) + f"{'s':>9}{'GB':>9}")
    for step in first.seconds:
        slopes = [exponent([cost.seconds[step] for cost in costs[axis]]) for axis in AXES]
        shown = "".join("        -" if math.isnan(slope) else f"{slope:9.2f}" for slope in slopes)
        largest = costs["all"][-1]
        print(f"  {step:16}{shown}{largest.seconds[step]:9.2f}{largest.gb[step]:9.2f}")
    print(f"\nextrapolated to {LARGE}")
    coming = extrapolate(costs["all"], 1 / share / GROWTH[-1])
    show(coming)
    print(f"ratio: {_TARGET_S / coming.seconds[_NIGHT]:.2f}")


def grown(size: LogSize, growing: tuple[str, ...], factor: float) -> LogSize:
    """Return a size, larger by a factor in some directions."""
    return replace(size, **{name: round(getattr(size, name) * factor) for name in growing})


def measure(size: LogSize) -> Cost:
    """Run a night on a log of a size, in a process of its own."""
    with TemporaryDirectory() as folder, serving() as url:
        for name, made in (("warm", _WARM), ("log", size)):
            make_log(Path(folder) / name, made)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            return process.submit(_night, folder, url).result()


def _night(folder: str, url: str) -> Cost:
    with closing(Redis.from_url(url, socket_timeout=60)) as redis:
        for name in ("warm", "log"):
            root = Path(folder) / name
            redis.flushall()
            clock = Clock()
            whole_night(clock, MadeLog.of(root), root / "runs", redis, Settings())
    lines = Run("benchmark", 1, AS_OF, root / "runs").steps()
    peaks = {line["step"]: (line["peak_bytes"] or 0) / 1e9 for line in lines}
    gb = {step: peaks.get(step, 0.0) for step in clock.seconds}
    seconds = clock.seconds | {_NIGHT: sum(clock.seconds.values())}
    return Cost(seconds, gb | {_NIGHT: max(gb.values())})


def exponent(values: list[float]) -> float:
    """Return the slope of the values over `GROWTH`, as logarithms; nan where they are too small."""
    if max(values) < _SHORT_S:
        return math.nan
    return float(np.polyfit(np.log(GROWTH), np.log(values), 1)[0])


def extrapolate(costs: list[Cost], factor: float) -> Cost:
    """Return what a log larger than the last by a factor will take.

    Seconds follow their exponent (a step too short to have one: in proportion), memory a line
    through the first and the last.
    """
    first, last = costs[0], costs[-1]
    seconds = {}
    for step in last.seconds:
        slope = exponent([cost.seconds[step] for cost in costs])
        seconds[step] = last.seconds[step] * factor ** (1 if math.isnan(slope) else slope)
    seconds[_NIGHT] = sum(value for step, value in seconds.items() if step != _NIGHT)
    further = GROWTH[-1] * (factor - 1) / (GROWTH[-1] - GROWTH[0])
    gb = {step: last.gb[step] + further * (last.gb[step] - first.gb[step]) for step in last.gb}
    gb[_NIGHT] = max(value for step, value in gb.items() if step != _NIGHT)
    return Cost(seconds, gb)


def show(cost: Cost) -> None:
    """Print seconds and memory, step by step."""
    for step, seconds in cost.seconds.items():
        print(f"  {step:16}{seconds:>9.1f} s{cost.gb[step]:>9.2f} GB")


if __name__ == "__main__":
    typer.run(main)
