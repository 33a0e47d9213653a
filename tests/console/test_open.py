"""A service without keys: everyone may read and act, with a token all the same."""

from pathlib import Path

import httpx
from playwright.sync_api import Browser
from redis import Redis

from nightshelf.admin import audit
from tests.console.browser import visiting
from tests.console.shop import plant
from tests.lookup.service.serving import Server, serving
from tests.lookup.shelves import SHOP, live


def test_everyone_may_act_and_the_page_says_so(
    browser: Browser, console: Server, shop_url: str, client: Redis, tmp_path: Path
) -> None:
    plant(client, console.runs)
    with serving(shop_url, tmp_path / "log", console="true") as server:
        server.wait_ready()
        with visiting(browser, server.url, tmp_path) as visit:
            visit.go("act?action=rollback")
            assert "everyone may read and act" in visit.page.inner_text("header")
            visit.page.click("form.confirm button")
            assert "generation 1 is live" in visit.text
        answer = httpx.post(f"{server.url}/console/act", data={"action": "rollback"})
        assert answer.status_code == 403, "another site's page cannot act through a browser"
    assert live(client) == 1
    assert [each.who for each in audit.lines(client, SHOP, 9)] == ["anyone"]
