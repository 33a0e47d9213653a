"""A night as Prefect runs it: deployed, taken by a worker, seen through the server's API."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pyarrow.parquet as pq
import pytest
from redis import Redis

from data.sample_shop.shop import Shop, ShopSettings, make_shop
from nightshelf import Shelf
from tasks.runs.run_folder import midnight
from tests.conftest import ROOT

SHOP = ShopSettings(n_users=300, n_items=200, n_days=30)
_LONGEST_S = 240
STEPS = [
    *("check_inputs", "open_run", "newer_night", "take_over", "clear_orphans", "clean_events"),
    *("given_up", "newer_night", "choose_blend", "build_features", "count_popularity"),
    "newer_night",
    *("train_blend", "top_n"),
    *("popular_lists", "similar_items", "evaluate", "estimate_memory", "stage", "read_back"),
    *("measure", "measure_drift", "check_gates", "flip", "write_report"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"), SHOP)


@pytest.fixture(scope="module")
def deployed(prefect_env: dict[str, str], redis_url: str) -> dict[str, str]:
    env = prefect_env | {"REDIS_URL": redis_url, "NIGHTSHELF_EVALUATE__BACKTEST_DAYS": "7"}
    prefect(env, "work-pool", "create", "nightshelf", "--type", "process")
    prefect(env, "--no-prompt", "deploy", "--all")
    prefect(env, "deployment", "schedule", "pause", "--all")  # what runs, the tests start
    return env


def prefect(env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "prefect", *arguments]
    done = subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(env: dict[str, str], path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    request = Request(
        f"{env['PREFECT_API_URL']}/{path}/filter",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=30) as answer:
        rows: list[dict[str, Any]] = json.load(answer)
        return rows


def trigger(env: dict[str, str], deployment: str, *when: str, **parameters: object) -> None:
    given = json.dumps(parameters, default=str)
    prefect(env, "deployment", "run", f"{deployment}/{deployment}", "--params", given, *when)


def work(env: dict[str, str], n_runs: int) -> list[dict[str, Any]]:
    """Let a worker take what was triggered; return the newest `n_runs` that ended, oldest first."""
    prefect(env, "worker", "start", "--pool", "nightshelf", "--run-once")
    ended = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}}
    runs = ask(env, "flow_runs", ended | {"sort": "END_TIME_DESC", "limit": n_runs})
    return runs[::-1]


def run_by_worker(env: dict[str, str], **parameters: object) -> dict[str, Any]:
    """Trigger a night, let a worker take it, and return what the server says of the run."""
    trigger(env, "nightly", **parameters)
    (run,) = work(env, 1)
    return run


def test_a_worker_runs_each_deployment(
    deployed: dict[str, str], shop: Shop, redis_client: Redis, tmp_path: Path
) -> None:
    run = run_by_worker(
        deployed,
        events=shop.events,
        items=shop.items,
        users=shop.users,
        namespace="by-worker",
        as_of=SHOP.end.isoformat(),
        run_root=tmp_path,
    )
    assert run["state"]["type"] == "COMPLETED", run["state"]["message"]
    assert run["name"].startswith("by-worker as of 2026-03-01")

    mine = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    tasks = ask(deployed, "task_runs", mine | {"sort": "EXPECTED_START_TIME_ASC"})
    assert [task["task_key"].rsplit("-", 1)[0] for task in tasks] == STEPS
    assert all(task["total_run_time"] >= 0 for task in tasks)

    artifacts = {row["key"]: row for row in ask(deployed, "artifacts", mine)}
    report = artifacts["by-worker-report"]
    assert report["data"] == (tmp_path / "by-worker/1/report.md").read_text()
    assert "](data:image/" in report["data"], "the pictures are in the artifact itself"
    headline = json.loads(artifacts["by-worker-headline"]["data"])
    assert [row["target"] for row in headline][:2] == ["over 50 %", "over 0.7"]
    assert headline[2]["figure"] == "Offline quality (NDCG@10)"
    kept = {path.name for path in (tmp_path / "by-worker/1/backtest").iterdir()}
    assert kept == {"quality.json", "steps.jsonl"}

    user = pq.read_table(tmp_path / "by-worker/1/lists/lists.parquet")["key"][0].as_py()
    assert Shelf(redis_client, "by-worker").get(user).source == "list"
    by_day(deployed, shop, redis_client, tmp_path)


def by_day(env: dict[str, str], shop: Shop, client: Redis, root: Path) -> None:
    """Run the deployments beside the night: collect, refresh, backfill, readout."""
    tracked = {"namespace": "by-worker", "events_dir": root / "tracked"}
    shelf = Shelf(client, "by-worker")
    bought = shelf.popular("all").items[0].item_id
    assert shelf.acted("newcomer", "purchase", bought).recorded
    trigger(env, "collect", **tracked)
    (collected,) = work(env, 1)
    trigger(env, "refresh", **tracked, run_root=root)
    day = SHOP.end.date().isoformat()
    files = {"events": shop.events, "items": shop.items, "users": shop.users, "run_root": root}
    trigger(env, "backfill", **files, namespace="past", start=day, end=day, make="lists")
    trigger(env, "readout", **tracked, users=shop.users, run_root=root)
    runs = [collected, *work(env, 3)]
    states = [run["state"] for run in runs]
    assert [state["type"] for state in states] == ["COMPLETED"] * 4, [
        state["message"] for state in states
    ]
    fresh = Shelf(client, "by-worker").get("newcomer")
    assert fresh.source == "list"
    assert bought not in {item.item_id for item in fresh.items}
    assert (root / "backfill/past/1/lists/lists.parquet").exists()


def test_a_bad_log_fails_the_run_with_its_message_and_no_traceback(
    deployed: dict[str, str], shop: Shop, redis_client: Redis, tmp_path: Path
) -> None:
    broken = tmp_path / "events.parquet"
    whole = next(shop.events.rglob("*.parquet")).read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    run = run_by_worker(
        deployed, events=broken, items=shop.items, namespace="broken", run_root=tmp_path / "runs"
    )
    assert run["state"]["type"] == "FAILED"
    assert str(broken) in run["state"]["message"]
    assert "truncated" in run["state"]["message"]
    logs = ask(deployed, "logs", {"logs": {"flow_run_id": {"any_": [run["id"]]}}})
    assert not any("Traceback" in line["message"] for line in logs)
    assert not redis_client.keys("shelf:*broken*"), "nothing was touched"


def test_of_missed_nights_a_backfill_and_a_night_the_newest_ends_live(
    deployed: dict[str, str], shop: Shop, redis_client: Redis, tmp_path: Path
) -> None:
    files = {"events": shop.events, "items": shop.items, "users": shop.users}
    where = {"namespace": "late", "run_root": tmp_path}
    for days in (3, 2, 1, 0):  # nobody was there to take the first three
        when = ("--start-at", (datetime.now(UTC) - timedelta(days=days)).isoformat())
        trigger(deployed, "nightly", *when, **files, **where)
    day = SHOP.end.date().isoformat()
    trigger(deployed, "backfill", **files, **where, start=day, end=day, publish="last")
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "nightshelf"]
    nights = {"flow_runs": {"name": {"like_": "late as of"}}, "sort": "EXPECTED_START_TIME_ASC"}
    with subprocess.Popen(command, env=deployed, cwd=ROOT, stdout=subprocess.DEVNULL) as worker:
        try:
            runs = ended(deployed, nights, 4)
            (backfill,) = ended(deployed, {"flows": {"name": {"any_": ["backfill"]}}, **LATE}, 1)
        finally:
            worker.kill()  # asked to end, it may wait for ever
    assert [run["state"]["name"] for run in runs] == [*["Superseded"] * 3, "Completed"], [
        run["state"]["message"] for run in runs
    ]
    assert backfill["state"]["type"] in ("COMPLETED", "FAILED")  # refused, where it came too late
    live = Shelf(redis_client, "late").status().live
    assert live
    assert live.as_of == midnight().isoformat()


#: Made for the namespace `late`.
LATE = {"flow_runs": {"name": {"like_": "late"}}, "sort": "EXPECTED_START_TIME_DESC"}


def ended(env: dict[str, str], which: dict[str, Any], n_runs: int) -> list[dict[str, Any]]:
    """Wait until so many flow runs have ended, and return them."""
    deadline = time.monotonic() + _LONGEST_S
    while time.monotonic() < deadline:
        runs = ask(env, "flow_runs", which)
        if len(runs) == n_runs and all(run["end_time"] for run in runs):
            return runs
        time.sleep(0.5)
    raise AssertionError([(run["name"], run["state"]) for run in runs])
