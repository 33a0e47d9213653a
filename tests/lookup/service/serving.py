"""`nightshelf serve` as a process, and its log."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx

from tests.conftest import free_port

PATIENCE_S = 30
_CODE = "from nightshelf.cli.main import main; main()"


class Server:
    """A running service."""

    def __init__(self, port: int, process: "Popen[bytes]", log: Path) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process = process
        self._log = log
        self.runs = log.parent / "runs"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self._log.read_bytes().splitlines()]

    def rss_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def wait_ready(self) -> None:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            assert self.process.poll() is None, self.lines()
            try:
                answer = httpx.get(f"{self.url}/health/ready", timeout=PATIENCE_S)
            except httpx.ConnectError:
                answer = None
            if answer is None or answer.status_code == 503:  # a busy machine's first read is late
                time.sleep(0.05)
                continue
            assert answer.status_code == 200
            return
        raise AssertionError(f"not ready after {PATIENCE_S} s: {self.lines()}")


@contextmanager
def serving(redis_url: str, log: Path, **settings: str) -> Iterator[Server]:
    """Yield a service that has been started, which need not be ready yet."""
    port = free_port()
    command = [sys.executable, "-c", _CODE, "serve", "--port", str(port), "--redis-url", redis_url]
    environment = {f"NIGHTSHELF_SERVICE_{name.upper()}": text for name, text in settings.items()}
    with log.open("wb") as out:
        process = Popen(
            command, stdout=out, stderr=out, env=os.environ | {"COLUMNS": "200"} | environment
        )
        try:
            yield Server(port, process, log)
        finally:
            process.kill()
            process.wait()
