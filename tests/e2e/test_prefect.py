"""Nights by Prefect as the how-to prints it: scheduled, shown by the server, failed, missed.

The tests follow one another in the life of one server.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pyarrow.parquet as pq
import pytest
from redis import Redis

from nightshelf import Shelf
from tasks.runs.run_folder import midnight
from tests.e2e.deployed import OVER, SHOP, Checkout, Env, Row, children, troubles, waited
from tests.session.prefect_server import ask

pytestmark = [pytest.mark.timeout(1200), pytest.mark.slow]
STEPS = [
    *("check_inputs", "open_run", "newer_night", "take_over", "clear_orphans", "clean_events"),
    *(
        "take_over_rest",
        "given_up",
        "newer_night",
        "choose_blend",
        "build_features",
        "count_popularity",
    ),
    "newer_night",
    *("train_blend", "top_n"),
    *("popular_lists", "similar_items", "evaluate", "estimate_memory", "stage", "read_back"),
    *("measure", "measure_drift", "check_gates", "flip", "write_report", "prune_runs"),
]


@pytest.fixture(scope="module")
def redis(redis_url: str) -> Iterator[Redis]:
    """A client of the session's server, whose database was empty when this module began."""
    with Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client


@pytest.fixture(scope="module")
def checkout(
    tmp_path_factory: pytest.TempPathFactory, prefect_env: Env, redis_url: str, redis: Redis
) -> Iterator[Checkout]:
    """A checkout with its server running."""
    made = Checkout(tmp_path_factory.mktemp("checkout"), redis_url, prefect_env)
    with made.running("server start") as (log, _):
        waited(lambda: healthy(made.env), [log])
        made.run("work-pool create")
        yield made


def healthy(env: Env) -> bool:
    try:
        ask(env, "flows", {})
    except URLError:
        return False
    return True


@pytest.fixture(scope="module")
def scheduled(checkout: Checkout) -> dict[str, Row]:
    """Deploy, let the worker take what the schedules start, and return the first runs by flow.

    No log of it holds an error, and each schedule is paused when its first run has begun.
    """
    checkout.schedule_each_minute()
    checkout.run("deploy --all")
    deployed = datetime.now(UTC)
    with checkout.running("worker start") as (worker, pid):
        logs = [checkout.folder / "server-start.log", worker]
        for flow in ("nightly", "collect", "refresh"):
            waited(partial(checkout.runs_of, flow, "PENDING", "RUNNING", *OVER), logs)
            checkout.pause(flow)
        checkout.pause("watch")
        found = {
            flow: waited(partial(checkout.runs_of, flow, *OVER), logs)[0]
            for flow in ("collect", "nightly", "refresh")
        }
        ending = children(pid)
        waited(lambda: not ending & children(pid), logs)
        assert [line for log in logs for line in troubles(log.read_text())] == []
    due = datetime.fromisoformat(found["collect"]["expected_start_time"])
    assert due - deployed < timedelta(minutes=3)
    return found


@contextmanager
def worker(checkout: Checkout) -> Iterator[list[Path]]:
    """Run a worker meanwhile; yields its log."""
    with checkout.running("worker start") as (log, _):
        yield [log]


def test_only_the_servers_own_race_is_no_trouble() -> None:
    race = (
        "18:32:20.598 | ERROR   | prefect.server.utilities.worker_channel - not persisted\n"
        "Traceback (most recent call last):\nsqlite3.OperationalError: database is locked\n"
    )
    ours = "18:32:20.599 | ERROR   | prefect.flow_runs - Traceback\ndatabase is locked\n"
    assert troubles(f"18:32:20.597 | INFO    | worker - up\n{race}") == []
    assert len(troubles(race + ours + race.replace("locked", "gone"))) == 3
    assert troubles("nanobind: leaked\n" + race) == ["nanobind: leaked"]


def test_the_night_and_the_collection_start_by_themselves(
    scheduled: dict[str, Row], redis: Redis
) -> None:
    for each in scheduled.values():
        assert each["auto_scheduled"]
        assert each["state"]["type"] == "COMPLETED", each["state"]["message"]
    live = Shelf(redis, "shop").status().live
    assert live
    assert live.generation == 1


def test_the_server_shows_the_nights_steps_and_artifacts(
    checkout: Checkout, scheduled: dict[str, Row], redis: Redis
) -> None:
    run, env, folder = scheduled["nightly"], checkout.env, checkout.folder / "runs/shop/1"
    assert run["name"].startswith("shop as of last midnight")
    mine = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    tasks = ask(env, "task_runs", mine | {"sort": "EXPECTED_START_TIME_ASC"})
    assert [task["task_key"].rsplit("-", 1)[0] for task in tasks] == STEPS
    assert all(task["total_run_time"] >= 0 for task in tasks)

    artifacts = {row["key"]: row for row in ask(env, "artifacts", mine)}
    report = artifacts["shop-report"]
    assert report["data"] == (folder / "report.md").read_text()
    assert "](data:image/" in report["data"], "the pictures are in the artifact itself"
    said = artifacts["shop-night"]["data"]
    assert said.startswith("# The night of shop is live, as generation 1\n\nNDCG@10 is ")
    assert "runs/shop/1/report.html`" in said
    assert "](https://shelf.example/console/generation?number=1)" in said
    assert "**Some of the rows in quarantine**" in artifacts["shop-clean-events"]["data"]
    assert "| Number of lists, of " in artifacts["shop-check-gates"]["data"]
    assert edges(env, run["id"]) == EDGES
    logged_once(env, run["id"])
    headline = json.loads(artifacts["shop-headline"]["data"])
    assert [row["target"] for row in headline][:2] == ["over 50 %", "over 0.7"]
    assert headline[2]["figure"] == "Offline quality (NDCG@10)"
    kept = {path.name for path in (folder / "backtest").iterdir()}
    assert kept == {"quality.json", "steps.jsonl"}

    user = pq.read_table(folder / "lists/lists.parquet")["key"][0].as_py()
    assert Shelf(redis, "shop").get(user).source == "list"


LISTS = {"top_n", "popular_lists", "similar_items", "build_features"}
MADE = {*LISTS, "clean_events", "train_blend"}
JUDGED = {*MADE, "measure", "measure_drift", "evaluate"}
#: What each step uses of others; those without an entry use nothing of any.
EDGES = {
    "clean_events": {"check_inputs"},
    "choose_blend": {"clean_events"},
    "build_features": {"clean_events", "choose_blend"},
    "count_popularity": {"clean_events", "choose_blend"},
    "train_blend": {"build_features", "count_popularity", "choose_blend"},
    "top_n": {"build_features", "train_blend"},
    "popular_lists": {"clean_events", "build_features", "choose_blend"},
    "similar_items": {"build_features", "train_blend"},
    "evaluate": {"clean_events", "choose_blend"},
    "estimate_memory": LISTS,
    "stage": LISTS,
    "read_back": {*LISTS, "stage"},
    "measure": MADE,
    "measure_drift": {"measure", "evaluate"},
    "check_gates": JUDGED,
    "write_report": {*JUDGED, "check_gates", "stage", "choose_blend"},
}


def edges(env: Env, run: str) -> dict[str, set[str]]:
    """Return the steps that lead to each step in the graph that the server draws."""
    with urlopen(f"{env['PREFECT_API_URL']}/flow_runs/{run}/graph-v2", timeout=30) as answer:
        nodes = dict(json.load(answer)["nodes"])
    names = {key: node["label"].rsplit("-", 1)[0] for key, node in nodes.items()}
    drawn = {
        names[key]: {names[each["id"]] for each in node["parents"]} for key, node in nodes.items()
    }
    return {name: parents for name, parents in drawn.items() if parents}


def logged_once(env: Env, run: str) -> None:
    """Fail if a run's log has a line twice, but for progress and the steps that run again."""
    logs = ask(env, "logs", {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"})
    lines = [line["message"] for line in logs if "newer_night" not in line["message"]]
    assert len(lines) > len(STEPS)
    assert [line for line in lines if lines.count(line) > 1 and "%" not in line] == []


@pytest.mark.usefixtures("scheduled")
def test_a_bad_log_fails_the_run_with_its_message_and_no_traceback(
    checkout: Checkout, redis: Redis, tmp_path: Path
) -> None:
    broken, env = tmp_path / "events.parquet", checkout.env
    whole = next(checkout.shop.events.rglob("*.parquet")).read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    with worker(checkout) as logs:
        checkout.run("deployment run", f" --param events={broken} --param namespace=broken")
        run = waited(partial(checkout.runs_of, "nightly", "FAILED"), logs)[0]
    assert str(broken) in run["state"]["message"]
    assert "truncated" in run["state"]["message"]
    assert (
        "What to do: Mend the files that the message names, then start" in run["state"]["message"]
    )
    (page,) = ask(env, "artifacts", {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}})
    assert page["key"] == "broken-night"
    assert page["data"].startswith("# The night of broken failed\n\n")
    assert "**What to do**: Mend the files" in page["data"]
    assert "truncated" in page["data"]
    lines = ask(env, "logs", {"logs": {"flow_run_id": {"any_": [run["id"]]}}})
    assert not any("Traceback" in line["message"] for line in lines)
    assert not redis.keys("shelf:*broken*"), "nothing was touched"


@pytest.mark.usefixtures("scheduled")
def test_of_missed_nights_a_backfill_and_a_night_the_newest_ends_live(
    checkout: Checkout, redis: Redis, tmp_path: Path
) -> None:
    where = {"namespace": "late", "run_root": tmp_path}
    for days in (2, 1, 0):  # nobody was there to take the first two
        when = datetime.now(UTC) - timedelta(days=days)
        checkout.trigger("nightly", when.isoformat(), **where)
    day = (SHOP.end - timedelta(days=1)).date().isoformat()
    now = datetime.now(UTC).isoformat()
    checkout.trigger("backfill", now, **where, start=day, end=day, publish="last")
    with worker(checkout) as logs:
        runs = waited(partial(ended, checkout, "late as of", 3), logs)
        (backfill,) = waited(partial(ended, checkout, "late", 1, "backfill"), logs)
    assert [run["state"]["name"] for run in runs] == [*["Superseded"] * 2, "Completed"], [
        run["state"]["message"] for run in runs
    ]
    assert backfill["state"]["type"] in ("COMPLETED", "FAILED")  # refused, where it came too late
    live = Shelf(redis, "late").status().live
    assert live
    assert live.as_of == midnight().isoformat()


def ended(checkout: Checkout, name: str, n_runs: int, flow: str = "nightly") -> list[Any]:
    """Return a flow's runs of a name, the earliest first, once so many are there and over."""
    which = {"flows": {"name": {"any_": [flow]}}, "flow_runs": {"name": {"like_": name}}}
    runs = ask(checkout.env, "flow_runs", which | {"sort": "EXPECTED_START_TIME_ASC"})
    over = len(runs) == n_runs and all(run["end_time"] for run in runs)
    return runs if over else []
