"""An experiment from its file to its verdict, as the how-to tells it, with known effects.

Three run at once: in `better` a variant sells twice as much, in `same` as much as the control, and
the app of `broken` loses some of what it shows.
"""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from data.sample_shop.shop import ShopSettings, make_shop
from nightshelf import Shelf
from tests.conftest import ROOT

SHOP = ShopSettings(n_users=60, n_items=150, n_days=10)
BEGAN = datetime.now(UTC) - timedelta(days=1)
EXPERIMENT = """
[experiment.{name}]
hypothesis = "ALS alone sells more than the blend"
status = "{status}"
start = {start:%Y-%m-%dT%H:%M:%SZ}
traffic = {traffic}
primary = "conversion"
minimum_detectable_effect = 0.5
variants = [{{ name = "control", model = "blend" }}, {{ name = "als", model = "als" }}]
"""
#: Shares of the users whom those before leave over: a third of all each.
TRAFFIC = {"better": 0.333, "same": 0.5, "broken": 1.0}
VISITS = ["--users", "4500", "--rate", "better:als=0.2", "--lost", "broken:als=0.3"]


def run(env: dict[str, str], *command: object) -> subprocess.CompletedProcess[str]:
    words = ["python", *map(str, command)]
    return subprocess.run(
        words, env=env, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )


def configure(folder: Path, status: str, settings: str) -> Path:
    """Write both files, and return that of the settings."""
    tables = (
        EXPERIMENT.format(name=name, status=status, start=BEGAN, traffic=traffic)
        for name, traffic in TRAFFIC.items()
    )
    (folder / "experiments.toml").write_text("\n".join(tables))
    (folder / "nightshelf.toml").write_text(settings)
    return folder / "nightshelf.toml"


@pytest.mark.slow
@pytest.mark.usefixtures("redis_client")  # an empty database
def test_a_known_effect_is_found_none_is_not_and_a_broken_assignment_has_no_verdict(
    prefect_env: dict[str, str], redis_url: str, tmp_path: Path
) -> None:
    env = dict(os.environ) | prefect_env | {"REDIS_URL": redis_url}
    shop, root = make_shop(tmp_path / "shop", SHOP), tmp_path / "runs"
    night = ["-m", "flows.nightly", "--events", shop.events, "--items", shop.items, "--as-of"]
    night += [SHOP.end, "--run-root", root, "--config"]

    config = configure(tmp_path, "running", "[choose]\nhold = true\n")
    done = run(env, *night, config)
    assert done.returncode == 0, done.stderr
    visited = run(env, "examples/visitors.py", *VISITS)
    assert visited.returncode == 0, visited.stderr
    log = tmp_path / "tracked"
    collected = run(env, "-m", "flows.collect", "--events-dir", log, "--config", config)
    assert collected.returncode == 0, collected.stderr

    when = datetime.now(UTC) + timedelta(days=2)  # all have had their day to buy
    where = ["--events-dir", log, "--run-root", root, "--config", config]
    where += ["--as-of", f"{when:%Y-%m-%d}"]
    done = run(env, "-m", "flows.readout", *where)
    assert done.returncode == 1, "users who are not divided as they should be are an alarm"
    assert "broken" in done.stderr
    assert "Traceback" not in done.stderr
    found = {name: readout(root, name) for name in TRAFFIC}
    shown, bought = counted(log)
    for name, each in found.items():
        assert each["users"] == {variant: shown[name, variant] for variant in each["users"]}
    (verdict,) = found["better"]["verdicts"]
    assert verdict["outcome"] == "better"
    sold = {v: bought["better", v] / shown["better", v] for v in ("control", "als")}
    assert verdict["difference"] == pytest.approx(sold["als"] - sold["control"], abs=1e-9)
    assert verdict["low"] < 0.1 < verdict["high"], "the interval holds the effect that is true"
    (verdict,) = found["same"]["verdicts"]
    assert verdict["outcome"] not in ("better", "worse")
    assert not found["broken"]["verdicts"]
    assert "als" in " ".join(found["better"]["sentences"])

    users, shelf = [f"visitor-{n}" for n in range(40)], Shelf.from_url(redis_url, "shop")
    before = {user: shelf.get(user, 3) for user in users}
    assert {each.experiment for each in before.values()} == set(TRAFFIC)
    config = configure(tmp_path, "ended", '[models]\nnames = ["als"]\n')
    done = run(env, *night, config)
    assert done.returncode == 0, done.stderr
    shelf = Shelf.from_url(redis_url, "shop")
    after = {user: shelf.get(user, 3) for user in users}
    assert {(each.experiment, each.generation) for each in after.values()} == {(None, 2)}
    assert {each.model for each in after.values() if each.source == "list"} <= {"als"}
    live = shelf.status().live
    assert live is not None
    assert live.default_model == "als"


def readout(root: Path, name: str) -> dict[str, Any]:
    """Return the readout that the flow has left."""
    found: dict[str, Any] = json.loads((root / f"shop/experiments/{name}.json").read_text())
    return found


def counted(log: Path) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """Return users shown and users who bought, by experiment and variant, from the log alone."""
    rows = duckdb.execute(
        f"""
        WITH events AS (FROM read_parquet('{log}/**/*.parquet', union_by_name = true))
        SELECT experiment, variant, count(DISTINCT user_id),
               count(DISTINCT user_id) FILTER (user_id IN (
                   SELECT user_id FROM events WHERE event_type = 'purchase'))
        FROM events WHERE experiment IS NOT NULL GROUP BY ALL
        """
    ).fetchall()
    return (
        {(experiment, variant): n for experiment, variant, n, _ in rows},
        {(experiment, variant): n for experiment, variant, _, n in rows},
    )
