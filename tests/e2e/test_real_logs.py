"""Whole nights on public logs, each list of a sample against the definition."""

import json
import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

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
    "online-retail": (
        ["data.importers.online_retail", "online-retail/online_retail.csv.gz"],
        "2011-12-10",
    ),
    "movielens": (["data.importers.movielens", "movielens-latest-small-2016"], "2016-10-17"),
    "movietweetings": (["data.importers.movielens", "movietweetings-100k"], "2013-09-01"),
}


def run_python(*arguments: str | Path, env: dict[str, str]) -> str:
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
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
    (importer, source), as_of = LOGS[name]
    env = prefect_env | {"REDIS_URL": redis_url}
    run_python(importer, real_log(source), tmp_path / "log", env=env)
    night: list[str | Path] = ["flows.nightly", "--namespace", name, "--as-of", as_of]
    for flag in ("events", "items", "users"):
        path = tmp_path / "log" / f"{flag}.parquet"
        night += [f"--{flag}", path] if path.exists() else []
    night += ["--run-root", tmp_path / "runs"]
    run_python(*night, env=env)
    first, second = (Run(name, n, datetime.now(UTC), tmp_path / "runs") for n in (1, 2))
    check_published(first, Shelf(redis_client, name))
    check_choice(first, redis_client)
    if name == TWICE:
        run_python(*night, env=env)
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
