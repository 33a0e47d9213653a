"""The refresh's process is killed between two users: who was served is, and the others wait on."""

import subprocess
import sys
from pathlib import Path

from redis import Redis

from tests.conftest import ROOT
from tests.nightshelf_ops.night import make_night
from tests.tasks.refresh.collected_events import Action, at, collect, lists, refresh, wait, waiting

ACTIONS: list[Action] = [(f"u{n:02}", f"i{n + 5:02}", "like", at(n)) for n in range(3)]


def test_a_killed_refresh(redis_client: Redis, redis_url: str, tmp_path: Path) -> None:
    make_night(redis_client, tmp_path)
    collect(tmp_path / "events", *ACTIONS)
    wait(redis_client, *ACTIONS)
    nights = lists(redis_client, 1)
    command = [sys.executable, "-m", "tests.faults.refresher", redis_url, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1 3\n"
        process.kill()
    after = lists(redis_client, 1)
    assert {user for user in after if after[user] != nights[user]} == {"u00"}
    assert set(waiting(redis_client)) == {"u01", "u02"}

    (done,) = refresh(redis_client, tmp_path)
    assert (done.n_lists, waiting(redis_client)) == (2, {})
    whole = lists(redis_client, 1)
    wait(redis_client, *ACTIONS)
    refresh(redis_client, tmp_path)
    assert lists(redis_client, 1) == whole, "as if nothing had been killed"
    assert {user for user in whole if whole[user] != nights[user]} == {"u00", "u01", "u02"}
