"""The command `python -m flows.refresh`: from an action to its list, and what it says."""

import subprocess
from pathlib import Path

from redis import Redis

from tests.conftest import ROOT
from tests.nightshelf_ops.night import make_night
from tests.tasks.refresh.collected_events import KEYS, at, collect, waiting


def refresh(env: dict[str, str], *args: object) -> "subprocess.CompletedProcess[str]":
    command = ["python", "-m", "flows.refresh", *map(str, args)]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_the_command(
    prefect_env: dict[str, str], redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    env = prefect_env | {"REDIS_URL": redis_url}
    files = ("--events-dir", tmp_path / "events", "--run-root", tmp_path)
    collect(tmp_path / "events", ("new", "i05", "view", at(1)), ("new", "i09", "like", at(2)))

    done = refresh(env, *files)
    assert done.returncode == 1
    said = "The refresh failed: shop has nothing live to refresh: run the nightly flow first"
    assert said in done.stderr.splitlines()
    assert "Traceback" not in done.stdout + done.stderr

    make_night(redis_client, tmp_path)
    done = refresh(env, *files)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("generation 1: refreshed 1, of them new 1, longest wait ")
    assert "Traceback" not in done.stderr
    assert redis_client.exists(KEYS.list(1, "als", "new"), KEYS.row_update("new")) == 2
    assert waiting(redis_client) == {}

    again = refresh(env, *files)
    assert again.stdout == "generation 1: refreshed 0\n"
