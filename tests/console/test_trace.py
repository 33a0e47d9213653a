"""The trace of a real night in a browser: the lazy part, an item that is not listed, its rules."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from redis import Redis

from tasks.explain.saved_model import load_night
from tasks.explain.trace import Place, trace
from tests.console.browser import visiting
from tests.lookup.service.serving import serving
from tests.nightshelf_ops.night import ITEMS, USERS, make_night


@pytest.mark.slow
def test_why_an_item_is_there_or_not(
    browser: Browser, redis_client: Redis, redis_url: str, tmp_path: Path
) -> None:
    make_night(redis_client, tmp_path / "runs")
    user, item, place = _one_without_room(tmp_path / "runs/shop/1")
    settings = {"console": "true", "runs_dir": str(tmp_path / "runs")}
    with serving(redis_url, tmp_path / "service.log", **settings) as server:
        server.wait_ready()
        with visiting(browser, server.url, tmp_path) as visit:
            page = visit.go(f"users?id={user}")
            page.locator("text=Traced in").wait_for(timeout=120_000)
            assert "the run's files read" in visit.text
            assert "List: 6 taken from the top by score" in visit.text
            page.click("summary >> text=Place by place")
            steps = page.locator("table", has_text="an item that was left out")
            listed = steps.locator("tbody tr", has_text="listed")
            served = page.locator("table", has_text="The page that an app gets")
            places = ["td:nth-child(3) code", "td:nth-child(2) code"]
            walked = [each.text_content() for each in listed.locator(places[0]).all()]
            assert walked == [each.text_content() for each in served.locator(places[1]).all()]
            visit.pictures("user-traced")

            page.fill("#why", item)
            page.click("text=Trace the item")
            page.locator("text=Traced in").wait_for(timeout=120_000)
            assert "from memory" in visit.text
            rules = [each.inner_text() for each in page.locator(".rules .state").all()]
            assert rules == ["passed"] * 5 + ["left out"]
            assert "Served: no, their list does not have it" in visit.text
            assert f"passed over on page {place.page}" in visit.text
            rivals = page.locator("table", has_text="had taken the room").locator("td code")
            assert [each.text_content() for each in rivals.all()] == [
                each.item_id for each in place.rivals
            ]
            visit.pictures("trace")


def _one_without_room(folder: Path) -> tuple[str, str, Place]:
    night = load_night(folder, "als")
    for user in USERS:
        for item in ITEMS:
            _, place = trace(night, user, item)
            if place and place.outcome == "no room":
                return user, item, place
    raise AssertionError("every item found room")
