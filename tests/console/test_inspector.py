"""The inspector in a browser: odd ids, markup as text, search, block end to end."""

import json
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser
from redis import Redis

from nightshelf.admin import audit
from nightshelf.admin.blocklist import block, blocked
from nightshelf.contract.keys import Keys
from tests.console.browser import Visit
from tests.console.conftest import KEYS
from tests.console.inspected import BROKEN_ITEM, ODD_ITEM, ODD_ITEMS, ODD_USERS, inspected
from tests.console.shop import EVIL, ODD_USER
from tests.lookup.service.serving import Server
from tests.lookup.shelves import SHOP, ranked


@pytest.fixture(autouse=True)
def shop(client: Redis, runs: Path) -> None:
    """A planted shop with all that the inspector shows."""
    inspected(client, runs)


def test_an_odd_users_page(reader: Visit) -> None:
    for user in ODD_USERS:
        reader.go(f"users?id={quote(user, safe='')}")
        reader.page.wait_for_load_state("networkidle")
        assert reader.page.inner_text("h1").split() == ["User", *user.split()]
        rows = reader.page.locator("table", has_text="The page that an app gets").locator("tr")
        assert rows.count() == 4
        assert f"because of Odd {EVIL}" in rows.nth(1).inner_text()
        assert f"something else in {EVIL}" in rows.nth(3).inner_text()
        assert "holds no manifest.json" in reader.text, "the lazy part has come"
        for script in reader.page.locator("main script").all():
            raise AssertionError(script.inner_html())
    reader.pictures("user")


def test_links_and_forms_keep_every_character(reader: Visit) -> None:
    for user in ODD_USERS:
        for item in ODD_ITEMS:
            reader.go(f"users?id={quote(user, safe='')}")
            place = reader.page.locator("table", has_text="The page that an app gets")
            place.locator(f"a[href$='item?id={_jinja(item)}']").first.click()
            assert reader.page.locator("main p > code").first.text_content() == item
            reader.page.wait_for_load_state("networkidle")
            users = reader.page.locator("table", has_text="in the file of lists")
            users.locator("a", has_text=user.split()[0][:3]).first.wait_for()
            found = [each.text_content() for each in users.locator("a").all()]
            assert found == [each.replace("\r", "") for each in ODD_USERS], (
                "as HTML has line breaks"
            )
            users.locator("a").nth(ODD_USERS.index(user)).click()
            reader.page.wait_for_load_state()
            assert reader.page.url.endswith(f"users?id={_jinja(user)}")
        reader.page.fill("#why", ODD_ITEM)
        reader.page.click("text=Trace the item")
        reader.page.wait_for_load_state()
        assert reader.page.locator("main p a").first.get_attribute("href") == _link(user)
        assert f"Odd {EVIL}" in reader.page.inner_text("h1")


def test_an_id_is_typed_in(reader: Visit) -> None:
    page = reader.go("users")
    page.fill("#user", ODD_USER)
    page.click("text=Show the user")
    assert page.inner_text("h1") == f"User {ODD_USER}"
    page.fill("#item", ODD_ITEM)
    page.click("text=Find the item")
    assert page.locator("main p > code").first.text_content() == ODD_ITEM
    page.fill("#user", "nobody")
    page.click("text=Show the user")
    assert "Neither the log nor the users file knows this user" in reader.text
    reader.go("users")
    reader.pictures("inspect")


def test_items_are_found_by_title(reader: Visit) -> None:
    page = reader.go("users")
    page.fill("#item", "lAMP 1")
    page.click("text=Find the item")
    shown = [each.text_content() for each in page.locator("td code").all()]
    assert shown == ["i001", *(f"i0{at}" for at in range(10, 20))]
    reader.pictures("items")
    page.fill("#item", "<SCRIPT>")
    page.click("text=Find the item")
    assert [each.text_content() for each in page.locator("td code").all()] == [
        "evil",
        ODD_ITEM,
        BROKEN_ITEM,
    ]
    page.fill("#item", "no such thing")
    page.click("text=Find the item")
    assert "no title holds it" in reader.text


def test_an_item_is_blocked_and_unblocked(operator: Visit, client: Redis, runs: Path) -> None:
    for item in ODD_ITEMS:
        page = operator.go(f"item?id={quote(item, safe='')}")
        page.click("text=Block this item")
        page.click("main button")
        assert "goes off every list" in operator.text
        assert blocked(client, SHOP) == [item]
        operator.go(f"users?id={quote(ODD_USER, safe='')}")
        hidden = page.locator("table", has_text="Stored by the night and").inner_text()
        assert "blocked" in hidden
        operator.go(f"item?id={quote(item, safe='')}")
        page.click("text=Unblock this item")
        page.click("main button")
        assert blocked(client, SHOP) == []
        second, first = audit.lines(client, SHOP, 2)
        assert [(each.who, each.action, each.what, each.outcome) for each in (first, second)] == [
            ("olga-operator", "block", f"item {item}", "done"),
            ("olga-operator", "unblock", f"item {item}", "done"),
        ]
        written = (runs / SHOP / "audit.jsonl").read_text().splitlines()[-1]
        assert json.loads(written)["what"] == f"item {item}"
    operator.go(f"block?id={quote(ODD_ITEM, safe='')}")
    operator.pictures("block")
    operator.go("audit")
    assert f"item {ODD_ITEM}" in operator.text


def test_a_reader_cannot_block(reader: Visit, client: Redis) -> None:
    reader.go(f"item?id={quote(ODD_ITEM, safe='')}")
    reader.page.wait_for_load_state("networkidle")
    reader.pictures("item")
    assert "scope admin" in reader.text
    assert not reader.page.locator("text=Block this item").count()
    reader.refusals.add(403)
    reader.go("block?id=i1")
    assert "does not have the scope 'admin'" in reader.text
    token = reader.page.locator("header input[name=csrf]").first.get_attribute("value") or ""
    answer = reader.page.request.post(f"{reader.url}/console/block?id=i1", form={"csrf": token})
    assert answer.status == 403
    assert blocked(client, SHOP) == []


def test_a_post_without_a_token_blocks_nothing(operator: Visit, client: Redis) -> None:
    answer = operator.page.request.post(f"{operator.url}/console/block?id=i1", form={})
    assert answer.status == 403
    assert blocked(client, SHOP) == []


def test_what_cannot_be_asked(operator: Visit) -> None:
    asked = {
        "users?id=" + "a" * 600: 422,
        "item?id=%00" + "a" * 600: 422,
        "trace": 422,
        "trace?encoded=%25ff": 422,
        "block?id=i1&action=burn": 404,
        "catalogue?view=no": 404,
    }
    for path, status in asked.items():
        operator.refusals = {status}
        operator.go(path)
        assert operator.page.locator("[role=alert]").count() == 1, path


def test_long_names_stay_on_the_screen(reader: Visit, client: Redis) -> None:
    keys, long = Keys(SHOP), "i" * 500
    client.set(keys.item(2, long), json.dumps({"title": "T" * 900, "category": "C" * 300}))
    client.set(keys.list(2, "als", "u" * 500), ranked(long, "A2").to_json())
    client.set(keys.user(2, "u" * 500), json.dumps({"recent_views": [long]}))
    reader.go(f"users?id={'u' * 500}")
    reader.page.wait_for_load_state("networkidle")
    reader.pictures("long-user")
    reader.go(f"item?id={long}")
    reader.page.wait_for_load_state("networkidle")
    reader.pictures("long-item")


def test_without_javascript(browser: Browser, console: Server) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{console.url}/console/login")
    page.fill("#key", KEYS["rita-reader"])
    page.click("main button")
    page.goto(f"{console.url}/console/users?id={quote(ODD_USER, safe='')}")
    page.click("text=Show how the night made this list")
    assert "holds no manifest.json" in page.inner_text("main")
    page.goto(f"{console.url}/console/item?id={quote(ODD_ITEM, safe='')}")
    page.click("text=Show some of them")
    assert ODD_USER in page.inner_text("main")
    context.close()


def test_marks_and_a_run_without_a_catalogue(reader: Visit, client: Redis, runs: Path) -> None:
    (runs / SHOP / "2/catalogue.parquet").unlink()
    block(client, SHOP, ["evil"])
    reader.go("item?id=evil")
    assert "left no catalogue.parquet" in reader.text
    reader.go("catalogue")
    assert "catalogue.parquet" in reader.text
    assert EVIL in reader.text
    assert urlsplit(reader.page.url).path == "/console/catalogue"


def _link(user: str) -> str:
    return f"./users?id={_jinja(user)}"


def _jinja(text: str) -> str:
    """Encode as the templates do."""
    return quote(text, safe="/").replace("'", "%27")
