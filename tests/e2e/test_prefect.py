"""A night as Prefect runs it: deployed, taken by a worker, seen through the server's API."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pyarrow.parquet as pq
import pytest
from redis import Redis

from data.shop import Shop, ShopSettings, make_shop
from nightshelf import Shelf
from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.e2e
SHOP = ShopSettings(n_users=300, n_items=200, n_days=30)
STEPS = [
    *("check_inputs", "open_run", "newer_night", "take_over", "clear_orphans", "clean_events"),
    *("build_features", "newer_night", "given_up", "train_als", "top_n"),
    *("popular_lists", "similar_items", "evaluate", "forecast", "stage", "read_back", "measure"),
    *("check_gates", "flip", "write_report"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"), SHOP)


@pytest.fixture(scope="module")
def deployed(prefect_env: dict[str, str], redis_url: str) -> dict[str, str]:
    env = prefect_env | {"REDIS_URL": redis_url, "NIGHTSHELF_EVALUATE__HOLDOUT_DAYS": "7"}
    prefect(env, "work-pool", "create", "nightshelf", "--type", "process")
    prefect(env, "--no-prompt", "deploy", "--all")
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


def run_by_worker(env: dict[str, str], **parameters: object) -> dict[str, Any]:
    """Trigger the deployment, let a worker take it, and return what the server says of the run."""
    prefect(
        env, "deployment", "run", "nightly/nightly", "--params", json.dumps(parameters, default=str)
    )
    prefect(env, "worker", "start", "--pool", "nightshelf", "--run-once")
    (run,) = ask(env, "flow_runs", {"sort": "EXPECTED_START_TIME_DESC", "limit": 1})
    return run


def test_a_worker_runs_the_deployment(
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
    assert headline[2]["figure"] == "Foresight (NDCG@10)"
    kept = {path.name for path in (tmp_path / "by-worker/1/holdout").iterdir()}
    assert kept == {"quality.json", "steps.jsonl"}

    user = pq.read_table(tmp_path / "by-worker/1/lists/lists.parquet")["key"][0].as_py()
    assert Shelf(redis_client, "by-worker").get(user).source == "list"


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
    assert not redis_client.keys("shelf:broken:*"), "nothing was touched"


def test_of_late_runs_only_the_newest_computes(
    deployed: dict[str, str], shop: Shop, redis_client: Redis, tmp_path: Path
) -> None:
    files = {"events": shop.events, "items": shop.items, "users": shop.users}
    given = files | {"namespace": "late", "run_root": tmp_path}
    for days in (2, 1):  # nobody was there to take them
        parameters = json.dumps(given, default=str)
        when = ("--start-at", (datetime.now(UTC) - timedelta(days=days)).isoformat())
        prefect(deployed, "deployment", "run", "nightly/nightly", "--params", parameters, *when)
    for _ in range(2):
        prefect(deployed, "worker", "start", "--pool", "nightshelf", "--run-once", "--limit", "1")
    late = {"flow_runs": {"name": {"like_": "late as of"}}, "sort": "EXPECTED_START_TIME_ASC"}
    runs = ask(deployed, "flow_runs", late)
    assert [run["state"]["name"] for run in runs] == ["Superseded", "Completed"], [
        run["state"]["message"] for run in runs
    ]
    assert [path.name for path in (tmp_path / "late").iterdir()] == ["1"]
