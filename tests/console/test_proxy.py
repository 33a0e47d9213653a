"""The console under a path behind a proxy, which takes the path off or leaves it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from redis import Redis

from nightshelf.admin.blocklist import blocked
from tests.console.browser import visiting
from tests.console.conftest import KEYS, SETTING_KEYS
from tests.console.reverse_proxy import behind
from tests.console.shop import ODD_USER, plant
from tests.lookup.service.serving import Server, serving
from tests.lookup.shelves import SHOP, live

PREFIX = "/shop/recs"


@pytest.fixture(scope="module")
def service(shop_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that knows its path behind the proxy."""
    log = tmp_path_factory.mktemp("proxied") / "service.log"
    settings = {"console": "true", "keys": SETTING_KEYS, "root_path": PREFIX}
    with serving(shop_url, log, **settings) as server:
        server.wait_ready()
        yield server


@pytest.mark.parametrize("strips", [True, False], ids=["takes it off", "leaves it"])
def test_all_works_under_a_path(
    browser: Browser, console: Server, service: Server, client: Redis, tmp_path: Path, strips: bool
) -> None:
    plant(client, console.runs)
    with (
        behind(service.port, PREFIX, strips=strips) as url,
        visiting(browser, url, tmp_path) as visit,
    ):
        page = visit.go("generation?number=1")
        assert page.url == f"{url}/console/login?next=generation%3Fnumber%3D1"
        page.fill("#key", KEYS["olga-operator"])
        page.click("main button")
        assert page.url == f"{url}/console/generation?number=1", "where the person wanted to go"
        assert [each["path"] for each in page.context.cookies()] == [f"{PREFIX}/console"]
        page.click("main >> text=Roll back to it")
        page.click("form.confirm button")
        assert "generation 1 is live" in visit.text
        page.click("main >> text=Audit")
        assert "olga-operator" in visit.text
        page.click("nav >> text=Users and items")
        page.fill("#user", ODD_USER)
        page.click("text=Show the user")
        page.locator("text=runs_dir is not set").wait_for()
        page.click("main td a >> nth=0")
        assert page.url.startswith(f"{url}/console/item?id=A1")
        page.click("text=Block this item")
        page.click("form.confirm button")
        assert blocked(client, SHOP) == ["A1"]
        page.goto(f"{url}/console")
        assert page.url == f"{url}/console/"
        page.goto(f"{url}/docs")
        page.wait_for_selector(".opblock-summary-path")
    assert live(client) == 1
