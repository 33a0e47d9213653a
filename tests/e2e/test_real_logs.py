"""Whole nights on public logs, each list of a sample against the definition."""

import csv
import gzip
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from redis import Redis

from nightshelf import Shelf
from nightshelf.admin.generations import current
from tasks.runs.run_folder import Run
from tests.conftest import RealLog
from tests.e2e.brute_force import BruteForce

SAMPLE = 200
#: A night costs half a minute, and determinism is the same on all of them.
TWICE = "online-retail"

LOGS = {
    "online-retail": "online-retail/online_retail.csv.gz",
    "movielens": "movielens-latest-small-2016",
    "movietweetings": "movietweetings-100k",
}


def count_events(name: str, path: Path) -> int:
    """Count the rows of a log as published that name a user and a product."""
    if name == "online-retail":
        with gzip.open(path, "rt", encoding="utf-8") as text:
            rows = csv.DictReader(text)
            return sum(bool(row["CustomerID"]) and row["StockCode"][:5].isdigit() for row in rows)
    file, n_headers = {"movielens": ("ratings.csv", 1), "movietweetings": ("ratings.dat", 0)}[name]
    return len((path / file).read_bytes().splitlines()) - n_headers


def run(command: Sequence[str | Path], env: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        list(map(str, command)), env=env, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", LOGS)
def test_a_night_on_a_real_log(
    name: str,
    real_log: RealLog,
    prefect_env: dict[str, str],
    redis_url: str,
    redis_client: Redis,
    tmp_path: Path,
) -> None:
    """From the files as published to lists in Redis by one command, without a question."""
    env = prefect_env | {"REDIS_URL": redis_url}
    source = real_log(LOGS[name])
    started = Path(sys.executable).parent / "nightshelf"
    init: list[str | Path] = [started, "init", source, "-s", name, "--yes", "--json", "--night"]
    found = json.loads(run(init, env, tmp_path))
    assert len(found["questions"]) <= 3
    assert found["errors"] == []
    events = pq.read_metadata(tmp_path / found["files"][0])
    assert events.num_rows == count_events(name, source) == found["log"]["events"]
    first, second = (Run(name, n, datetime.now(UTC), tmp_path / "runs") for n in (1, 2))
    check_published(first, Shelf(redis_client, name))
    check_choice(first, redis_client)
    if name == TWICE:
        run(found["command"], env, tmp_path)
        assert _digest(first) == _digest(second), "the same input gives the same digest"


def check_published(run: Run, shelf: Shelf) -> None:
    """Compare the published lists of a sample of users with the brute-force walk."""
    truth = BruteForce(run)
    users = random.Random(0).sample(range(len(truth.user_ids)), min(SAMPLE, len(truth.user_ids)))
    for user in users:
        result = shelf.get(truth.user_ids[user], n=50)
        got = [item.item_id for item in result.items]
        assert (result.source, result.generation) == ("list", run.generation)
        assert not truth.seen(user) & set(got)
        assert set(got) <= truth.available
        pages = [Counter(truth.category[i] for i in got[at : at + 10]) for at in range(0, 50, 10)]
        assert all(n <= 3 for page in pages for name, n in page.items() if name != "unknown")
        for ours, theirs in zip(got, truth.walk(user), strict=True):
            if ours != theirs:  # only where the scores agree to 6 digits may two change places
                assert truth.score(user, ours) == pytest.approx(
                    truth.score(user, theirs), rel=1e-6
                ), f"user {truth.user_ids[user]}"


def check_choice(run: Run, client: Redis) -> None:
    """The night has chosen; its record and its manifest have the half-life of its features."""
    chosen, record = (
        json.loads(run.path(file).read_text()) for file in ("choice.json", "settings.json")
    )
    assert not chosen["held"]
    assert record["features"]["half_life_days"] == chosen["spans"]["learning"]
    assert record["features"]["profile_half_life_days"] == chosen["spans"]["profile"]
    live = current(client, run.namespace)
    assert live
    assert live.counting
    assert live.counting.half_life_days == chosen["spans"]["learning"]


def _digest(run: Run) -> str:
    return str(json.loads(run.path("manifest.json").read_text())["digest"])
