"""The whole night against the notebook that people write: same log, same training, same Redis.

Ours is every step of `flows/nightly.py`, one after the other, without Prefect: a first night, up to
a day earlier, which finds nothing, and the night after it, which finds its rollups and its factors.
The notebook is `benchmarks/_notebook.py`. Both publish to one server that is empty before each.
Each round runs all; seconds are medians over the rounds. The last line is the notebook's time over
that of the night after the first, end to end; the lines before it compare the first night, with
training and without.
"""

import os
import statistics
import warnings
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from redis import Redis

from benchmarks._log import AS_OF, LogSize, MadeLog, make_log
from benchmarks._night_steps import Clock, whole_night
from benchmarks._notebook import LACKS, notebook
from benchmarks._server import serving
from tasks.settings import Settings

#: What is done -> our steps, the notebook's cells.
PARTS = {
    "read and clean": (("check_inputs", "clean_events"), ("read",)),
    "choice of the blend": (("choose_blend",), ()),
    "features": (("build_features", "count_popularity"), ("weigh",)),
    "training": (("train_blend",), ("fit",)),
    "lists": (("top_n",), ("recommend",)),
    "publish": (("estimate_memory", "stage", "flip"), ("publish",)),
    "fallbacks, similar items": (("popular_lists", "similar_items"), ()),
    "read back, measure, gates, report": (
        ("read_back", "measure", "measure_drift", "check_gates", "write_report"),
        (),
    ),
    "open, take over, clear": (("open_run", "take_over", "clear_orphans"), ()),
}

Seconds = dict[str, float]


def main(
    users: Annotated[int, typer.Option(help="Users of the log.")] = 200_000,
    items: Annotated[int, typer.Option(help="Items of the log.")] = 50_000,
    events: Annotated[int, typer.Option(help="Events of the log.")] = 5_000_000,
    rounds: Annotated[int, typer.Option(help="Rounds, each of all.")] = 3,
) -> None:
    """Time both nights step by step, and print the ratios."""
    warnings.filterwarnings("ignore", message="OpenBLAS is configured", category=RuntimeWarning)
    size = LogSize(users, items, events)
    rounds_of: tuple[list[Seconds], ...] = ([], [], [])
    with (
        TemporaryDirectory() as folder,
        serving() as url,
        closing(Redis.from_url(url, socket_timeout=60)) as redis,
    ):
        warm = make_log(Path(folder) / "warm", LogSize(1_000, 500, 20_000))
        nights(warm, redis)  # compiled code is loaded, imports are done
        log = make_log(Path(folder) / "log", size)
        for _ in range(rounds):
            *taken, full = nights(log, redis)
            for seconds, each in zip(taken, rounds_of, strict=True):
                each.append(seconds)
            first, after, cells = (sum(seconds.values()) for seconds in taken)
            print(
                f"first night {first:.1f} s, the next {after:.1f} s, notebook {cells:.1f} s",
                flush=True,
            )
    print(f"{size}; seconds, medians of {rounds}")
    ours, later, theirs = rounds_of
    show(*map(medians, rounds_of))
    print(f"of the notebook's lists {full:.1%} are full; it lacks:")
    print("\n".join(f"  - {what}" for what in LACKS))
    untrained = median_sum(theirs, without="fit") / median_sum(ours, without="train_blend")
    print(f"a first night, without training: {untrained:.2f}")
    print(f"a first night: {median_sum(theirs) / median_sum(ours):.2f}")
    print(f"ratio: {median_sum(theirs) / median_sum(later):.2f}")


def nights(log: MadeLog, redis: Redis) -> tuple[Seconds, Seconds, Seconds, float]:
    """Run our two nights and the notebook; the last figure is its share of full lists."""
    settings, first, after, theirs = Settings(), Clock(), Clock(), Clock()
    with TemporaryDirectory(dir=log.events.parent) as root:
        redis.flushall()
        os.sync()  # a night writes half a gigabyte: nobody pays for what another wrote
        whole_night(first, log, Path(root), redis, settings, AS_OF - timedelta(days=1))
        os.sync()
        whole_night(after, log, Path(root), redis, settings)
    redis.flushall()
    os.sync()
    full = notebook(theirs, log, redis, settings)
    return first.seconds, after.seconds, theirs.seconds, full


def medians(rounds: list[Seconds]) -> Seconds:
    """Return each step's median."""
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def median_sum(rounds: list[Seconds], without: str = "") -> float:
    """Return the median, over the rounds, of the seconds of all steps but one."""
    return statistics.median(sum(each.values()) - each.get(without, 0) for each in rounds)


def show(ours: Seconds, later: Seconds, theirs: Seconds) -> None:
    """Print part by part what each took."""
    print(f"  {'':34}{'first':>8}{'next':>8}{'notebook':>10}")
    for part, (mine, other) in PARTS.items():
        first, after = (sum(seconds[name] for name in mine) for seconds in (ours, later))
        cells = f"{sum(theirs[name] for name in other):10.2f}" if other else f"{'-':>10}"
        print(f"  {part:34}{first:>8.2f}{after:>8.2f}{cells}")
    in_all = (sum(seconds.values()) for seconds in (ours, later, theirs))
    print("  {:34}{:>8.2f}{:>8.2f}{:>10.2f}".format("in all", *in_all))
    print("  the next, by step: " + ", ".join(f"{name} {s:.2f}" for name, s in later.items()))


if __name__ == "__main__":
    typer.run(main)
