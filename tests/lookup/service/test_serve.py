"""`nightshelf serve` as a process: it starts, answers, and ends as it should."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.conftest import free_port
from tests.lookup.shelves import publish
from tests.lookup.terminal import run

_PATIENCE_S = 30


class Server:
    """A running service, and what it has written."""

    def __init__(self, port: int, process: "Popen[bytes]", log: Path) -> None:
        self.port = port
        self.process = process
        self._log = log

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE_S)

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self._log.read_bytes().splitlines()]


@pytest.fixture
def server(redis_url: str, redis_client: Redis, tmp_path: Path) -> Iterator[Server]:
    publish(redis_client, 1)
    port, log = free_port(), tmp_path / "log"
    code = "from nightshelf.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--port", str(port), "--redis-url", redis_url]
    with log.open("wb") as out:
        process = Popen(command, stdout=out, stderr=out, env=os.environ | {"COLUMNS": "200"})
        try:
            yield Server(port, process, log)
        finally:
            process.kill()
            process.wait()


def wait_ready(server: Server) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        assert server.process.poll() is None, server.lines()
        try:
            answer = httpx.get(f"http://127.0.0.1:{server.port}/health/ready", timeout=_PATIENCE_S)
        except httpx.ConnectError:
            time.sleep(0.05)
            continue
        assert answer.status_code == 200
        return
    raise AssertionError(f"not ready after {_PATIENCE_S} s: {server.lines()}")


def wait_closed(server: Server) -> None:
    """Return once nobody is let in any more: the process has been told to end."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        try:
            server.connect().close()
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    raise AssertionError("it still lets callers in")


def test_it_serves_and_on_sigterm_finishes_what_it_has_begun(server: Server) -> None:
    wait_ready(server)
    answer = httpx.get(f"http://127.0.0.1:{server.port}/recommendations/ann")
    assert (answer.status_code, answer.json()["source"]) == (200, "list")
    assert "server" not in answer.headers

    body = b'{"user_id": "ann", "n": 1}'
    head = (
        "POST /recommendations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with closing(server.connect()) as begun:
        begun.sendall(head.encode())
        assert begun.recv(100).startswith(b"HTTP/1.1 100")  # the app waits for the body
        server.process.send_signal(signal.SIGTERM)
        wait_closed(server)
        begun.sendall(body)
        with begun.makefile("rb") as reply:
            assert reply.read().startswith(b"HTTP/1.1 200")
    assert server.process.wait(_PATIENCE_S) == 0

    lines = server.lines()  # all of them JSON
    assert "open" in {line["event"] for line in lines}
    assert [line["endpoint"] for line in lines if line["event"] == "request"][-2:] == [
        "/recommendations/{user_id}",
        "/recommendations",
    ]


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['uvicorn'] = None; from nightshelf.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "serve"], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"uvicorn is absent: pip install 'nightshelf[service]'" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("NIGHTSHELF_SERVICE_KEY", "hunter2", "is no setting"),
        ("NIGHTSHELF_SERVICE_MAX_PER_S", "hunter2", "max_per_s"),
        ("NIGHTSHELF_NAMESPACE", "Hunter2!", "namespace"),
        ("REDIS_URL", "http://:hunter2@db", "not a Redis URL"),
    ],
)
def test_a_setting_that_is_wrong_is_named_and_not_repeated(
    dead_url: str, name: str, value: str, told: str
) -> None:
    result = run(dead_url, "serve", **{name: value})
    assert result.exit_code == 2, result.output
    assert told in result.stderr
    assert "hunter2" not in result.output
