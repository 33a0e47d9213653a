"""A running service, in a process of its own, over a shop that others share."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import requests

from tests.conftest import free_port
from tests.fuzz.ledger import Ledger
from tests.fuzz.service_calls import API_KEYS, Service
from tests.lookup.service.event_log import LoggedEvent, write

_START_S = 60
_COMMAND = "from nightshelf.cli.main import main; main()"


@contextmanager
def running(redis_url: str, folder: Path, ledger: Ledger, *, keyed: bool) -> Iterator[Service]:
    """Start a service, with keys or open to all; `findings` has its faults once it has ended."""
    write(folder, [LoggedEvent("e1")])
    keys = {
        name: {"sha256": sha256(name.encode()).hexdigest(), "scopes": sorted(scopes)}
        for name, scopes in API_KEYS.items()
    }
    settings = {
        "NIGHTSHELF_SERVICE_KEYS": json.dumps(keys if keyed else {}),
        "NIGHTSHELF_SERVICE_EVENTS_DIR": str(folder),
        "NIGHTSHELF_SERVICE_DEADLINE_S": "10",  # a busy machine is no failing Redis
    }
    port, log = free_port(), folder / "log"
    command = [
        sys.executable,
        "-c",
        _COMMAND,
        "serve",
        "--port",
        str(port),
        "--redis-url",
        redis_url,
    ]
    with log.open("wb") as out, requests.Session() as session:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | settings)
        service = Service(f"http://127.0.0.1:{port}", session, keyed, ledger)
        try:
            _wait_ready(service, process, log)
            yield service
        finally:
            process.terminate()
            process.wait()
    for line in log.read_text().splitlines():
        # DuckDB's binding says a word of its own when a process ends.
        if "Traceback" in line or (line.startswith("{") and json.loads(line)["level"] == "error"):
            service.findings.setdefault("log", line)


def _wait_ready(service: Service, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if service.session.get(f"{service.base_url}/health/ready", timeout=_START_S).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise RuntimeError(f"the service did not start:\n{log.read_text()}")
