"""Fixtures of the console's tests: a server with two generations, the service, a browser's page."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from redis import Redis

from tests.conftest import run_valkey
from tests.console.browser import Visit, chromium, visiting
from tests.console.shop import plant
from tests.lookup.service.serving import Server, serving

#: Keys of the service's callers, by name.
KEYS = {"olga-operator": "key-of-olga", "rita-reader": "key-of-rita", "app": "key-of-the-app"}
_SCOPES = {"olga-operator": ["read", "admin"], "rita-reader": ["read"], "app": ["track"]}
SETTING_KEYS = json.dumps(
    {
        name: {"sha256": sha256(key.encode()).hexdigest(), "scopes": _SCOPES[name]}
        for name, key in KEYS.items()
    }
)
#: Opens a visit of the service at a URL; its faults fail the test.
OpenVisit = Callable[[str], Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The module's chromium; the test is skipped where there is none.

    While it runs, so does an event loop of its own: a test with another is in another module.
    """
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def shop_url() -> Iterator[str]:
    """A Valkey of the console's tests."""
    yield from run_valkey()


@pytest.fixture
def client(shop_url: str) -> Iterator[Redis]:
    """A client of that Valkey."""
    with closing(Redis.from_url(shop_url)) as connected:
        yield connected


@pytest.fixture(scope="package")
def console(shop_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`nightshelf serve` with the console and keys, for all tests of this package."""
    folder = tmp_path_factory.mktemp("console")
    settings = {"console": "true", "keys": SETTING_KEYS, "runs_dir": str(folder / "runs")}
    (folder / "runs").mkdir()
    with serving(shop_url, folder / "service.log", **settings) as server:
        server.runs = folder / "runs"
        with closing(Redis.from_url(shop_url)) as connected:
            plant(connected, server.runs)
        server.wait_ready()
        yield server


@pytest.fixture
def runs(console: Server, client: Redis) -> Path:
    """The folder of runs, of a namespace as `plant` makes it, anew for each test."""
    plant(client, console.runs)
    return console.runs


@pytest.fixture
def visit(browser: Browser, console: Server, runs: Path, tmp_path: Path) -> Iterator[Visit]:
    """A visit of somebody who has not logged in."""
    with visiting(browser, console.url, tmp_path) as opened:
        yield opened


@pytest.fixture
def operator(visit: Visit) -> Visit:
    """A visit of somebody who may act."""
    visit.log_in(KEYS["olga-operator"])
    return visit


@pytest.fixture
def reader(visit: Visit) -> Visit:
    """A visit of somebody who may read."""
    visit.log_in(KEYS["rita-reader"])
    return visit
