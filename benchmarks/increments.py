"""The feature step on a night that adds one day, against a night that finds no rollup.

Both turn the same clean log of 90 days into the same files (compared, byte for byte):

- full: nothing is there yet; every day is added up, and all are merged for the nights to come;
- one more day: the night before, over the log up to a day earlier, has left its rollups.

Each round runs both, one after the other, each in a folder of its own; seconds and CPU seconds are
medians over the rounds. The last line is full over one more day.
"""

import os
import shutil
import statistics
import time
from dataclasses import astuple
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks._log import AS_OF, LogSize, make_log
from tasks.artifacts.records import CleanLog, Features
from tasks.evaluation.past_run import log_until
from tasks.features.build import build_features
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import check_inputs
from tasks.runs.run_folder import Run
from tasks.settings import Settings

_SETTINGS = Settings()


def main(
    users: Annotated[int, typer.Option(help="Users of the generated log.")] = 100_000,
    items: Annotated[int, typer.Option(help="Items of the generated log.")] = 20_000,
    events: Annotated[int, typer.Option(help="Events of the generated log.")] = 27_000_000,
    rounds: Annotated[int, typer.Option(help="Rounds, each of both nights.")] = 5,
) -> None:
    """Time both nights, and print the ratio."""
    with TemporaryDirectory() as name:
        root = Path(name)
        size = LogSize(users, items, events)
        made = make_log(root / "log", size)
        files = check_inputs(made.events, made.items, made.users, _SETTINGS.inputs)
        tonight = Run("tonight", 1, AS_OF, root)
        log = clean_events(tonight, files, _SETTINGS.events, now=AS_OF)
        eve = Run("eve", 1, AS_OF - timedelta(days=1), root)
        build_features(eve, log_until(eve, log), _SETTINGS.features)
        print(f"{size}, {log.n_events:,} of them distinct")
        night(root, 0, log, eve)  # compiles
        pairs = [night(root, number, log, eve) for number in range(1, rounds + 1)]
    full, more = (
        [statistics.median(each) for each in zip(*nights, strict=True)]
        for nights in zip(*pairs, strict=True)
    )
    for name, (seconds, cpu) in (("full", full), ("one more day", more)):
        print(f"  {name:14}{seconds:>8.2f} s{cpu:>8.2f} s of CPU")
    print(f"ratio, CPU: {full[1] / more[1]:.2f}")
    print(f"ratio: {full[0] / more[0]:.2f}")


def night(root: Path, number: int, log: CleanLog, eve: Run) -> list[tuple[float, float]]:
    """Build the features in full and with one more day; return seconds and CPU seconds of each."""
    namespaces = [f"full-{number}", f"more-{number}"]
    kept = Path("rollups")
    shutil.copytree(root / eve.namespace / kept, root / namespaces[1] / kept, copy_function=os.link)
    found = []
    built: list[Features] = []
    for namespace in namespaces:
        started, started_cpu = time.perf_counter(), time.process_time()
        built.append(build_features(Run(namespace, 1, AS_OF, root), log, _SETTINGS.features))
        found.append((time.perf_counter() - started, time.process_time() - started_cpu))
    full, more = built
    assert (full.n_days_new, more.n_days_new) == (full.n_days, 1)
    for one, other in zip(astuple(full), astuple(more), strict=True):
        assert not isinstance(one, Path) or one.read_bytes() == other.read_bytes()
    for namespace in namespaces:
        shutil.rmtree(root / namespace)
    return found


if __name__ == "__main__":
    typer.run(main)
