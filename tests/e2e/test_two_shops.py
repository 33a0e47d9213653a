"""Two shops of one checkout: one settings file, a log of its own names for each."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from redis import Redis

from data.shop import ShopSettings, make_shop
from nightshelf.contract import Keys
from nightshelf.values import Manifest
from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.e2e
SHOP = ShopSettings(n_users=60, n_items=150, n_days=10)
SETTINGS = """\
[topn]
n = 20
[train]
iterations = 3

[namespace.books.topn]
n = 12
[namespace.books.inputs.events]
user_id = "reader"
event_type = "what"
[namespace.books.features]
seen = ["lend"]
[namespace.books.features.weights]
lend = 5.0
view = 1.0
"""


def rename(events: Path, books: Path) -> None:
    """Write the shop's log once more, with other names of columns and of event types."""
    duckdb.sql(
        f"""COPY (SELECT user_id AS reader, item_id, ts, value, event_id,
        CASE event_type WHEN 'purchase' THEN 'lend' ELSE event_type END AS what
        FROM read_parquet('{events}/**/*.parquet', hive_partitioning = false))
        TO '{books}' (FORMAT parquet)"""
    )


def test_each_has_its_settings(
    prefect_env: dict[str, str], redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    make_shop(tmp_path, SHOP)
    rename(tmp_path / "events", tmp_path / "books.parquet")
    (tmp_path / "shops.toml").write_text(SETTINGS)
    for namespace, events in (("shop", "events"), ("books", "books.parquet")):
        arguments = {
            "events": tmp_path / events,
            "items": tmp_path / "items.parquet",
            "namespace": namespace,
            "as-of": SHOP.end.isoformat(),
            "run-root": tmp_path / "runs",
            "config": tmp_path / "shops.toml",
        }
        given = [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "flows.nightly", *given]
        env = prefect_env | {"REDIS_URL": redis_url}
        done = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    for namespace, n in (("shop", 20), ("books", 12)):
        current: Any = redis_client.get(Keys(namespace).current)
        live = Manifest.from_json(current)
        assert live.list_length == n
        in_force = json.loads((tmp_path / "runs" / namespace / "1" / "settings.json").read_text())
        assert in_force["topn"]["n"] == n
        assert in_force["train"]["iterations"] == 3
        assert ("lend" in in_force["features"]["weights"]) == (namespace == "books")
        assert live.counting
        assert live.counting.weights == in_force["features"]["weights"]
