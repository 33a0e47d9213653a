"""A Prefect server on a port: a test's own, or the one that the session's workers share."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.session.shared import keep

_START_S = 90
#: Services of the server that the session's tests have no use for; a test of theirs has its own.
_IDLE: tuple[str, ...] = (
    "CANCELLATION_CLEANUP",
    "EVENT_PERSISTER",
    "FOREMAN",
    "LATE_RUNS",
    "PAUSE_EXPIRATIONS",
)
_IDLE += ("REPOSSESSOR", "SCHEDULER", "TRIGGERS")
Env = dict[str, str]


def environment(home: Path, port: int) -> Env:
    """Return the environment that points at a server."""
    home.mkdir(exist_ok=True)
    return os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "1",  # 30 otherwise
    }


def run_prefect(home: Path, port: int) -> Iterator[Env]:
    """Run a server and yield the environment that points at it."""
    env, log = environment(home, port), home / "server.log"
    with log.open("wb") as out:
        server = Popen(_command(port), env=env, stdout=out, stderr=out)
        try:
            _wait_healthy(env, server, log)
            yield env
        finally:
            server.terminate()
            server.wait(20)


def start_prefect(home: Path, port: int) -> str:
    """Start a server that runs until the session ends; return its port."""
    env, log = environment(home, port), home / "server.log"
    quiet = {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _IDLE}
    keep(_command(port), env | quiet, log)
    _wait_healthy(env, None, log)
    return str(port)


def _command(port: int) -> list[str]:
    return [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]


def _wait_healthy(env: Env, server: "Popen[bytes] | None", log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        assert server is None or server.poll() is None, log.read_text()
        try:
            with urlopen(f"{env['PREFECT_API_URL']}/health", timeout=1):
                return
        except URLError:
            time.sleep(0.2)
    said = log.read_text()
    raise AssertionError(f"Prefect's server is not healthy after {_START_S} s:\n{said}")


def ask(env: Env, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a server that a filter finds."""
    rows: list[dict[str, Any]] = post(env, f"{path}/filter", body)
    return rows


def post(env: Env, path: str, body: dict[str, Any]) -> Any:
    """Return a server's answer; None where it has nothing to say."""
    request = Request(
        f"{env['PREFECT_API_URL']}/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or "null")
