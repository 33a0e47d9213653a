"""Generations in a browser: history, one, a comparison, and changes that stand in the audit."""

import json
import re
from pathlib import Path

import httpx
import pytest
from redis import Redis

from nightshelf.admin import audit
from nightshelf.admin.namespace_state import read_state
from tests.console.browser import Visit
from tests.console.conftest import KEYS
from tests.console.shop import EVIL, ODD_USER
from tests.lookup.service.serving import Server
from tests.lookup.shelves import SHOP, live, publish, staged, states


def confirm(visit: Visit) -> str:
    """Press the button of the page that asks; return what the next page says."""
    visit.page.click("form.confirm button")
    visit.page.wait_for_load_state()
    return visit.text


def audited(client: Redis) -> list[tuple[str, str, str, str]]:
    found = audit.lines(client, SHOP, 100)
    return [(each.who, each.action, each.what, each.outcome.partition(":")[0]) for each in found]


def test_history_and_trends(reader: Visit) -> None:
    reader.page.click("nav >> text=Generations")
    rows = reader.page.locator("tbody").first.locator("tr").all_inner_texts()
    assert [row.split()[:2] for row in rows] == [["2", "live"], ["1", "previous"]]
    assert "60 %" in rows[0] and "50 %" in rows[1], "coverage, of the planted reports"
    assert "warn" in rows[0] and "jaccard" in rows[0]
    coverage = (
        reader.page.locator("figure", has_text="Catalogue coverage").locator("desc").text_content()
    )
    assert coverage and coverage.endswith("from 50 % to 60 %, the last 60 %.")
    assert "Roll back" not in reader.text, "this person may not act"
    reader.pictures("generations")


def test_one_generation_shows_markup_as_text(reader: Visit) -> None:
    reader.go("generation?number=2")
    assert f"share of the available items {EVIL}" in reader.text
    reader.pictures("generation")
    reader.refusals.add(404)
    reader.go("generation?number=77")
    assert "has generation 77" in reader.text


def test_two_are_compared(reader: Visit) -> None:
    reader.go("diff?a=1&b=2")
    assert "2 of 1 users" not in reader.text
    assert ODD_USER in reader.text
    assert "Items in common" in reader.text and "Lamp 2" in reader.text
    reader.pictures("diff")
    reader.page.click(f"summary >> text={ODD_USER[:6]}")
    reader.page.click("details[open] >> text=Inspect this user")
    assert ODD_USER in reader.page.inner_text("h1")
    reader.go("diff?a=1&b=9")
    assert "no generation 9" in reader.text


def test_rollback_and_promote(operator: Visit, client: Redis, runs: Path) -> None:
    operator.go("generations")
    operator.page.click("main >> text=Roll back")
    assert "from generation 2 (as of 2026-03-03) back to generation 1" in operator.text
    assert "nightshelf promote 2" in operator.text
    operator.pictures("rollback")
    assert live(client) == 2, "nothing is done before it is confirmed"
    assert "generation 1 is live" in confirm(operator)
    operator.pictures("done")
    assert live(client) == 1
    operator.go("act?action=promote&generation=2")
    confirm(operator)
    assert live(client) == 2
    assert audited(client) == [
        ("olga-operator", "promote", "generation 2", "done"),
        ("olga-operator", "rollback", "generation 1", "done"),
    ]
    operator.go("audit")
    assert re.search(r"\d\d:\d\d\s+olga-operator\s+rollback\s+generation 1", operator.text)
    operator.pictures("audit")
    lines = (runs / SHOP / audit.FILE).read_text().splitlines()
    assert [json.loads(line)["action"] for line in lines[-2:]] == ["rollback", "promote"]


def test_pin_and_unpin(operator: Visit, client: Redis) -> None:
    operator.go("generation?number=1")
    operator.page.click("main >> text=Pin")
    assert "pinned to generation 1: no night goes live" in operator.text
    confirm(operator)
    state = read_state(client, SHOP)
    assert state.pinned == 1 and state.is_live(1)
    operator.go("generations")
    operator.page.click("main >> text=Unpin")
    confirm(operator)
    assert read_state(client, SHOP).pinned is None
    assert [each[1] for each in audited(client)] == ["unpin", "pin"]


def test_canary_mark_bad_and_extend(operator: Visit, client: Redis) -> None:
    number = staged(client, 3)
    operator.go(f"generation?number={number}")
    operator.page.fill("#share", "12.5")
    operator.page.click("text=Canary >> nth=-1")
    assert "as a canary for 12.5 %" in operator.text
    confirm(operator)
    state = read_state(client, SHOP)
    assert state.canary and (state.canary.generation, state.canary.share) == (3, 12.5)
    operator.go("act?action=mark-bad&generation=3")
    assert "the canary of generation 3 ends; generation 3 is marked bad" in operator.text
    confirm(operator)
    assert states(client)[3] == "bad" and read_state(client, SHOP).canary is None
    operator.go("act?action=extend&generation=2")
    assert re.search(r"\d+ keys extended", confirm(operator))


def test_what_is_live_is_marked_bad_by_the_rollback(operator: Visit, client: Redis) -> None:
    operator.refusals.add(409)
    operator.go("act?action=mark-bad&generation=2")
    assert "roll back" in operator.text
    operator.go("act?action=rollback&mark_bad=true")
    assert "generation 2 is marked bad" in operator.text
    confirm(operator)
    assert states(client) == {1: "live", 2: "bad"}


def test_a_namespace_that_moved_meanwhile_is_left_alone(operator: Visit, client: Redis) -> None:
    operator.go("act?action=rollback")
    publish(client, 3)
    operator.refusals.add(409)
    assert "moved meanwhile" in confirm(operator)
    assert live(client) == 3
    assert audited(client)[0][3] == "refused (contended)"


def test_a_refusal_that_force_passes(operator: Visit, client: Redis) -> None:
    staged(client, 3)
    operator.go("act?action=pin&generation=2")
    confirm(operator)
    operator.refusals.add(409)
    operator.go("act?action=promote&generation=3")
    assert "is pinned to generation 2" in operator.text
    operator.pictures("refused")
    operator.page.click("text=Promote all the same")
    confirm(operator)
    assert live(client) == 3


def test_a_read_key_cannot_act(reader: Visit, console: Server, client: Redis) -> None:
    reader.refusals.add(403)
    reader.go("act?action=rollback")
    assert "does not have the scope 'admin'" in reader.text
    reader.pictures("forbidden")
    with httpx.Client(base_url=console.url) as browser:
        page = browser.get("/console/login").text
        token = re.findall(r'name="csrf" value="(\w+)"', page)[0]
        browser.post("/console/login", data={"csrf": token, "key": KEYS["rita-reader"]})
        token = re.findall(r'name="csrf" value="(\w+)"', browser.get("/console/").text)[0]
        form = {"csrf": token, "action": "rollback", "generation": "1"}
        assert browser.post("/console/act", data=form).status_code == 403
    assert live(client) == 2 and audited(client) == []


@pytest.mark.parametrize("session", ["none", "own", "another"])
def test_a_change_without_its_token_is_refused(
    console: Server, runs: Path, client: Redis, session: str
) -> None:
    headers = {"Authorization": f"Bearer {KEYS['olga-operator']}"}
    with httpx.Client(base_url=console.url, headers=headers) as browser:
        form = {"action": "rollback", "generation": "1"}
        if session != "none":
            browser.get("/console/")
        if session == "another":
            page = httpx.get(f"{console.url}/console/login").text
            form["csrf"] = re.findall(r'name="csrf" value="(\w+)"', page)[0]
        answer = browser.post("/console/act", data=form)
    assert answer.status_code == 403 and "no valid token" in answer.text
    assert live(client) == 2


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("action=explode", 404),
        ("action=promote", 422),
        ("action=promote&generation=x", 422),
        ("action=promote&generation=99", 409),
        ("action=canary&generation=1&share=nan", 422),
        ("action=canary&generation=1&share=101", 422),
    ],
)
def test_arguments_that_are_none(console: Server, runs: Path, query: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {KEYS['olga-operator']}"}
    answer = httpx.get(f"{console.url}/console/act?{query}", headers=headers)
    assert answer.status_code == status and "<h1>" in answer.text
