"""A life by the clock: server, deployments and worker as the how-to prints them, nothing paused."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from redis import Redis

from data.sample_shop.shop import ShopSettings, make_shop
from nightshelf import Shelf
from tests.conftest import ROOT, free_port
from tests.e2e.test_prefect import ask

pytestmark = pytest.mark.timeout(600)
HOW_TO = (ROOT / "docs/how-to/schedule-with-prefect.md").read_text()
_TROUBLE = re.compile(r".*(?:ERROR|CRITICAL|Traceback|nanobind).*")
#: A cron fires within a minute; a busy machine takes its time to start what it fires.
_LONGEST_S = 300
Env = dict[str, str]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that links to this checkout, with a small shop."""
    for name in ("flows", "tasks", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    make_shop(tmp_path / ".nightshelf/shop", ShopSettings(n_users=300, n_items=200, n_days=30))
    return tmp_path


def schedule_soon(checkout: Path) -> None:
    """Write `prefect.yaml` with a night due in two to three minutes, and a refresh every minute."""
    due = datetime.now(UTC) + timedelta(minutes=3)
    deployments = (ROOT / "prefect.yaml").read_text()
    assert deployments.count('cron: "0 2 * * *"') == 1
    soon = deployments.replace('"0 2 * * *"', f'"{due.minute} {due.hour} * * *"')
    (checkout / "prefect.yaml").write_text(soon.replace('"*/5 * * * *"', '"* * * * *"'))


@pytest.fixture
def env(checkout: Path, redis_url: str) -> Env:
    """The environment of a user who has set nothing else, at ports of our own."""
    port = str(free_port())
    mine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "REDIS_", "NIGHTSHELF_"))
    }
    return mine | {
        "PREFECT_HOME": str(checkout / "home"),
        "PREFECT_SERVER_API_PORT": port,
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "REDIS_URL": redis_url,
    }


def printed(word: str, env: Env) -> str:
    """Return the how-to's command that holds a word, behind the exports that stand before it."""
    block = next(each for each in re.findall(r"```console\n(.*?)```", HOW_TO, re.S) if word in each)
    lines = [line.removeprefix("$ ") for line in block.splitlines()]
    exports = [line for line in lines if line.startswith("export ")]
    (command,) = (line for line in lines if word in line)
    text = "\n".join([*exports, f"exec {command}"])
    text = text.replace("redis://127.0.0.1:6390/0", env["REDIS_URL"])
    return text.replace("127.0.0.1:4200", f"127.0.0.1:{env['PREFECT_SERVER_API_PORT']}")


@contextmanager
def running(word: str, checkout: Path, env: Env) -> Iterator[tuple[Path, int]]:
    """Run a command of the how-to meanwhile; yields its log and the id of its process."""
    path = checkout / f"{word.replace(' ', '-')}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-euc", printed(word, env)], cwd=checkout, env=env, stdout=log, stderr=log
        )
        try:
            yield path, process.pid
        finally:
            for pid in [*children(process.pid), process.pid]:  # and the runs under way
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


def run(word: str, checkout: Path, env: Env) -> None:
    command = ["bash", "-euc", printed(word, env)]
    done = subprocess.run(
        command, cwd=checkout, env=env, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def waited(found: Callable[[], Any], logs: list[Path]) -> Any:
    """Return what `found` returns once it is something."""
    deadline = time.monotonic() + _LONGEST_S
    while time.monotonic() < deadline:
        if something := found():
            return something
        time.sleep(1)
    raise AssertionError("\n".join(log.read_text() for log in logs))


def children(pid: int) -> set[int]:
    """Return the ids of the processes that a process has started, of those that still run."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            if path.read_text().rpartition(")")[2].split()[1] == str(pid):
                found.add(int(path.parent.name))
    return found


def healthy(env: Env) -> bool:
    try:
        ask(env, "flows", {})
    except URLError:
        return False
    return True


def runs_of(env: Env, flow: str, *states: str) -> list[dict[str, Any]]:
    """Return a flow's runs in one of these states, the earliest first."""
    which = {
        "flows": {"name": {"any_": [flow]}},
        "flow_runs": {"state": {"type": {"any_": list(states)}}},
    }
    return ask(env, "flow_runs", which | {"sort": "EXPECTED_START_TIME_ASC"})


def test_the_night_and_the_collection_start_by_themselves_and_no_log_holds_an_error(
    checkout: Path, env: Env, redis_client: Redis
) -> None:
    over = ("COMPLETED", "FAILED", "CRASHED")
    with running("server start", checkout, env) as (server, _):
        waited(lambda: healthy(env), [server])
        run("work-pool create", checkout, env)
        schedule_soon(checkout)
        run("deploy --all", checkout, env)
        deployed = datetime.now(UTC)
        with running("worker start", checkout, env) as (worker, worker_pid):
            logs = [server, worker]
            for flow in ("nightly", "collect", "refresh"):
                waited(partial(runs_of, env, flow, "SCHEDULED", "PENDING", *over), logs)
            collected = waited(lambda: runs_of(env, "collect", *over), logs)[0]
            night = waited(lambda: runs_of(env, "nightly", *over), logs)[0]
            refreshed = waited(lambda: runs_of(env, "refresh", *over), logs)[0]
            for each in (collected, night, refreshed):
                assert each["auto_scheduled"]
                assert each["state"]["type"] == "COMPLETED", each["state"]["message"]
            due = datetime.fromisoformat(collected["expected_start_time"])
            assert due - deployed < timedelta(minutes=3)
            live = Shelf(redis_client, "shop").status().live
            assert live
            assert live.generation == 1
            ending = children(worker_pid)
            waited(lambda: not ending & children(worker_pid), logs)
    assert [line for log in logs for line in _TROUBLE.findall(log.read_text())] == []
