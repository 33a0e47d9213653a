"""The whole night against the notebook that people write: same log, same training, same Redis.

Ours is every step of `flows/nightly.py`, one after the other, without Prefect; the notebook is
`benchmarks/_notebook.py`. Both publish to one Valkey that is empty before each. Each round runs
both; seconds are medians over the rounds. The last line is the notebook's time over ours, end to
end; the line before it leaves training out of both.
"""

import statistics
import warnings
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from redis import Redis

from benchmarks._log import LogSize, MadeLog, make_log
from benchmarks._night_steps import Clock, own_redis, whole_night
from benchmarks._notebook import LACKS, notebook
from tasks.settings import Settings

#: What is done -> our steps, the notebook's cells.
PARTS = {
    "read and clean": (("check_inputs", "clean_events"), ("read",)),
    "features": (("build_features",), ("weigh",)),
    "training": (("train_als",), ("fit",)),
    "lists": (("top_n",), ("recommend",)),
    "publish": (("forecast", "stage", "flip"), ("publish",)),
    "fallbacks, similar items": (("popular_lists", "similar_items"), ()),
    "read back, measure, gates, report": (
        ("read_back", "measure", "check_gates", "write_report"),
        (),
    ),
    "open, take over, clear": (("open_run", "take_over", "clear_orphans"), ()),
}

Seconds = dict[str, float]


def main(
    users: Annotated[int, typer.Option(help="Users of the log.")] = 50_000,
    items: Annotated[int, typer.Option(help="Items of the log.")] = 10_000,
    events: Annotated[int, typer.Option(help="Events of the log.")] = 2_000_000,
    rounds: Annotated[int, typer.Option(help="Rounds, each of both.")] = 3,
) -> None:
    """Time both nights step by step, and print the ratios."""
    warnings.filterwarnings("ignore", message="OpenBLAS is configured", category=RuntimeWarning)
    size = LogSize(users, items, events)
    ours: list[Seconds] = []
    theirs: list[Seconds] = []
    with (
        TemporaryDirectory() as folder,
        own_redis() as url,
        closing(Redis.from_url(url, socket_timeout=60)) as redis,
    ):
        warm = make_log(Path(folder) / "warm", LogSize(1_000, 500, 20_000))
        both(warm, redis)  # compiled code is loaded, imports are done
        log = make_log(Path(folder) / "log", size)
        for _ in range(rounds):
            night, cells, full = both(log, redis)
            ours.append(night)
            theirs.append(cells)
            print(
                f"ours {sum(night.values()):.1f} s, notebook {sum(cells.values()):.1f} s",
                flush=True,
            )
    print(f"{size}; seconds, medians of {rounds}")
    show(medians(ours), medians(theirs))
    print(f"of the notebook's lists {full:.1%} are full; it lacks:")
    print("\n".join(f"  - {what}" for what in LACKS))
    untrained = median_sum(theirs, without="fit") / median_sum(ours, without="train_als")
    print(f"ratio without training: {untrained:.2f}")
    print(f"ratio: {median_sum(theirs) / median_sum(ours):.2f}")


def both(log: MadeLog, redis: Redis) -> tuple[Seconds, Seconds, float]:
    """Run our night, then the notebook; the last figure is the notebook's share of full lists."""
    settings, ours, theirs = Settings(), Clock(), Clock()
    with TemporaryDirectory(dir=log.events.parent) as root:
        redis.flushall()
        whole_night(ours, log, Path(root), redis, settings)
    redis.flushall()
    full = notebook(theirs, log, redis, settings)
    return ours.seconds, theirs.seconds, full


def medians(rounds: list[Seconds]) -> Seconds:
    """Return each step's median."""
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def median_sum(rounds: list[Seconds], without: str = "") -> float:
    """Return the median, over the rounds, of the seconds of all steps but one."""
    return statistics.median(sum(each.values()) - each.get(without, 0) for each in rounds)


def show(ours: Seconds, theirs: Seconds) -> None:
    """Print part by part what each took."""
    print(f"  {'':34}{'ours':>8}{'notebook':>10}")
    for part, sides in PARTS.items():
        mine, other = (
            sum(seconds[name] for name in names)
            for seconds, names in zip((ours, theirs), sides, strict=True)
        )
        print(f"  {part:34}{mine:>8.2f}{format(other, '10.2f') if sides[1] else '-':>10}")
    print(f"  {'in all':34}{sum(ours.values()):>8.2f}{sum(theirs.values()):>10.2f}")
    print("  ours by step: " + ", ".join(f"{name} {s:.2f}" for name, s in ours.items()))


if __name__ == "__main__":
    typer.run(main)
