"""The whole night against the notebook that people write: same log, same Redis.

Ours is every step of `flows/nightly.py`, one after the other, without Prefect: a first night, up to
a day earlier, which finds nothing, and the night after it, which finds its rollups and its factors.
The notebook is `benchmarks/_notebook.py`, which trains ALS. So ours is timed as it comes, where it
chooses a blend of three models, and with ALS alone (`models.names`, `choose.hold`), which is like
for like. All publish to one server that is empty before each. Each round runs all; seconds are
medians over the rounds. The last line is the notebook's time over that of the night after the
first, end to end, with ALS alone; the lines before it compare the others.
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
from tasks.choose.settings import ChooseSettings
from tasks.models.settings import ModelsSettings
from tasks.settings import Settings

#: What is done -> our steps, the notebook's cells.
PARTS = {
    "read and clean": (("check_inputs", "clean_events"), ("read",)),
    "choice of the blend": (("choose_blend",), ()),
    "features": (("build_features", "count_popularity"), ("weigh",)),
    "training": (("train_blend", "train_als"), ("fit",)),
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
#: Nights of ours, as they come and with ALS alone: the first, and the one after it.
OURS = ("first", "next", "ALS first", "ALS next")


def main(
    users: Annotated[int, typer.Option(help="Users of the log.")] = 200_000,
    items: Annotated[int, typer.Option(help="Items of the log.")] = 50_000,
    events: Annotated[int, typer.Option(help="Events of the log.")] = 5_000_000,
    rounds: Annotated[int, typer.Option(help="Rounds, each of all.")] = 3,
) -> None:
    """Time the nights step by step, and print the ratios."""
    warnings.filterwarnings("ignore", message="OpenBLAS is configured", category=RuntimeWarning)
    size = LogSize(users, items, events)
    rounds_of: dict[str, list[Seconds]] = {name: [] for name in (*OURS, "notebook")}
    with (
        TemporaryDirectory() as folder,
        serving() as url,
        closing(Redis.from_url(url, socket_timeout=60)) as redis,
    ):
        warm = make_log(Path(folder) / "warm", LogSize(1_000, 500, 20_000))
        one_round(warm, redis)  # compiled code is loaded, imports are done
        log = make_log(Path(folder) / "log", size)
        for _ in range(rounds):
            taken, full = one_round(log, redis)
            for name, seconds in taken.items():
                rounds_of[name].append(seconds)
            print(", ".join(f"{n} {sum(each.values()):.1f} s" for n, each in taken.items()))
    print(f"{size}; seconds, medians of {rounds}")
    show({name: medians(each) for name, each in rounds_of.items()})
    print(f"of the notebook's lists {full:.1%} are full; it lacks:")
    print("\n".join(f"  - {what}" for what in LACKS))
    theirs = median_sum(rounds_of["notebook"])
    for name in OURS[:-1]:
        print(f"{name}: {theirs / median_sum(rounds_of[name]):.2f}")
    print(f"ratio: {theirs / median_sum(rounds_of[OURS[-1]]):.2f}")


def one_round(log: MadeLog, redis: Redis) -> tuple[dict[str, Seconds], float]:
    """Run our nights and the notebook; the last figure is its share of full lists."""
    default = Settings()
    alone = Settings(models=ModelsSettings(("als",)), choose=ChooseSettings(hold=True))
    taken: dict[str, Seconds] = {}
    for names, settings in ((OURS[:2], default), (OURS[2:], alone)):
        redis.flushall()
        with TemporaryDirectory(dir=log.events.parent) as root:
            for name, as_of in zip(names, (AS_OF - timedelta(days=1), AS_OF), strict=True):
                os.sync()  # a night writes half a gigabyte: nobody pays for what another wrote
                clock = Clock()
                whole_night(clock, log, Path(root), redis, settings, as_of)
                taken[name] = clock.seconds
    redis.flushall()
    os.sync()
    cells = Clock()
    full = notebook(cells, log, redis, default)
    return taken | {"notebook": cells.seconds}, full


def medians(rounds: list[Seconds]) -> Seconds:
    """Return each step's median."""
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def median_sum(rounds: list[Seconds]) -> float:
    """Return the median, over the rounds, of the seconds of all steps."""
    return statistics.median(sum(each.values()) for each in rounds)


def show(taken: dict[str, Seconds]) -> None:
    """Print part by part what each took."""
    print(f"  {'':34}" + "".join(f"{name:>10}" for name in taken))
    for part, (mine, cells) in PARTS.items():
        sums = (
            sum(seconds.get(step, 0) for step in (cells if name == "notebook" else mine))
            for name, seconds in taken.items()
        )
        print(f"  {part:34}" + "".join(f"{each:10.2f}" for each in sums))
    print(f"  {'in all':34}" + "".join(f"{sum(each.values()):10.2f}" for each in taken.values()))


if __name__ == "__main__":
    typer.run(main)
