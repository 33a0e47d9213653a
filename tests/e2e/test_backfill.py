"""A backfill as a person runs it: killed half-way, started again, its last date published."""

import json
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from redis import Redis

from data.sample_shop.shop import ShopSettings, make_shop
from nightshelf.admin import generations
from tests.conftest import ROOT
from tests.e2e.test_command import nightly
from tests.session.prefect_server import ask

SHOP = ShopSettings(n_users=80, n_items=150, n_days=14)
_PATIENCE_S = 120


def test_a_backfill_goes_on_where_it_was_killed_and_publishes_its_last_date(
    prefect_env: dict[str, str], redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    shop, root = make_shop(tmp_path / "shop", SHOP), tmp_path / "runs"
    env = prefect_env | {"REDIS_URL": redis_url}
    files = ("--events", shop.events, "--items", shop.items, "--users", shop.users)
    night = nightly(env, *files, "--namespace", "night", "--as-of", SHOP.end, "--run-root", root)
    assert night.returncode == 0, night.stderr

    first = SHOP.end - timedelta(days=20)  # before the log begins
    dates = ("--start", f"{first:%Y-%m-%d}", "--end", f"{SHOP.end:%Y-%m-%d}", "--step", 10)
    command = [sys.executable, "-m", "flows.backfill", *files, *dates, "--namespace", "bygone"]
    command += ["--run-root", root, "--publish", "last"]
    ours = list(map(str, command))
    killed = subprocess.Popen(ours, env=env, cwd=ROOT, stdout=subprocess.DEVNULL)
    wait_for(root / "backfill/bygone/2/report.json", killed)
    killed.kill()
    killed.wait()
    assert generations.current(redis_client, "bygone") is None

    again = subprocess.run(
        ["python", *ours[1:]], env=env, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert again.returncode == 1, again.stderr
    assert "Traceback" not in again.stderr
    lines = [line.split() for line in again.stdout.splitlines() if line.startswith("2026-")]
    assert [line[1] for line in lines] == ["failed", "kept", "live"]
    assert f"{first:%Y-%m-%d} failed: " in again.stderr
    assert lines[2][-1] == str(root / "bygone/1/report.html")

    live, same = (generations.current(redis_client, name) for name in ("bygone", "night"))
    assert live is not None
    assert same is not None
    assert (live.as_of, live.digest) == (SHOP.end.isoformat(), same.digest)
    assert live.choice is not None
    assert live.choice == same.choice
    mine = {"artifacts": {"key": {"like_": "bygone-"}}}
    shown = [(row["key"], row["data"]) for row in ask(prefect_env, "artifacts", mine)]
    (table,) = (json.loads(data) for key, data in shown if key == "bygone-backfill")
    assert [row["state"] for row in table] == ["failed", "kept", "live"]
    assert "Check --as-of" in table[0]["why"]
    assert ("bygone-backfill-progress", 100) in shown
    assert "bygone-report" in dict(shown)


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
