"""The whole night on Spark by its command: published, reported, explained."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from data.sample_shop.shop import ShopSettings, make_shop
from nightshelf import Shelf
from nightshelf.admin.generations import current
from tests.spark.conftest import MASTERS

_SETTINGS = f"""
[engine]
name = "spark"

[spark.session]
"spark.master" = "{MASTERS[-1]}"
"spark.sql.shuffle.partitions" = "4"

[choose]
hold = true
"""


def run(command: list[object], env: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        list(map(str, command)), env=env, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.timeout(900)
def test_a_night(
    prefect_env: dict[str, str], redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    shop = make_shop(tmp_path / "shop", ShopSettings(n_users=300, n_items=200, n_days=14))
    (tmp_path / "nightshelf.toml").write_text(_SETTINGS)
    env = prefect_env | {"REDIS_URL": redis_url, "COLUMNS": "120"}
    night = [sys.executable, "-m", "flows.nightly", "--events", shop.events, "--items", shop.items]
    said = run([*night, "--users", shop.users, "--as-of", "2026-03-01"], env, tmp_path)
    assert "train_blend: " in said
    live = current(redis_client, "shop")
    assert live is not None
    assert live.counts["list"] > 200
    shelf = Shelf(redis_client, "shop")
    own = shelf.get("u000007", n=50)
    assert own.source == "list"
    folder = next((tmp_path / "runs/shop").glob("[0-9]*"))
    assert (folder / "report.html").exists()
    lines = (folder / "steps.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert {"clean_events", "build_features", "top_n", "read_back", "flip"} <= set(steps)
    assert "session" not in (folder / "settings.json").read_text(), "it may hold secrets"
    assert not list(folder.rglob(".spark-*")), "nothing of the executors' is left"
    started = Path(sys.executable).parent / "nightshelf"
    item = own.items[0].item_id
    assert item in run([started, "why", "u000007", item], env, tmp_path)
