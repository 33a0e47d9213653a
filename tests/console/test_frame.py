"""The console's frame in a browser: login, logout, refusals, headers, files."""

from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from redis import Redis

from nightshelf.service.console import assets
from tests.console.browser import Visit
from tests.console.conftest import KEYS
from tests.lookup.service.serving import Server
from tests.lookup.shelves import live


def test_a_person_logs_in_and_out(visit: Visit) -> None:
    page = visit.go("")
    assert page.url.endswith("/console/login?next="), "a page asks for a key first"
    visit.log_in(KEYS["rita-reader"])
    assert page.url == f"{visit.url}/console/"
    assert "rita-reader, may read" in page.inner_text("header")
    visit.pictures("overview")
    page.click("text=Log out")
    assert page.url.endswith("/console/login")
    visit.go("")
    assert "login" in page.url


def test_without_javascript(browser: Browser, console: Server, runs: Path, client: Redis) -> None:
    context = browser.new_context(java_script_enabled=False)
    visit = Visit(context.new_page(), console.url, runs)
    visit.log_in(KEYS["olga-operator"])
    visit.page.click("nav >> text=Generations")
    visit.page.click("main >> text=Roll back")
    visit.page.click("form.confirm button")
    assert "generation 1 is live" in visit.text
    assert live(client) == 1 and not visit.faults()
    context.close()


def test_htmx_is_loaded_and_adds_no_style(reader: Visit) -> None:
    assert reader.page.evaluate("htmx.version") == assets.HTMX_VERSION
    assert reader.page.evaluate("document.querySelectorAll('style, [style]').length") == 0


def test_on_paper_there_is_the_page_alone(reader: Visit) -> None:
    reader.page.emulate_media(media="print")
    assert not reader.page.locator("nav").is_visible()
    assert reader.page.locator(".figure").first.is_visible()


def test_a_wrong_key_is_told_so(visit: Visit) -> None:
    visit.refusals.add(403)
    visit.log_in("no such key")
    assert "no key of the service" in visit.text
    visit.log_in(KEYS["app"])
    assert "does not have the scope 'read'" in visit.text
    visit.pictures("login")


def test_a_path_without_a_page(reader: Visit) -> None:
    reader.refusals.add(404)
    reader.go("no/such/page")
    assert "no such page" in reader.text
    reader.page.click("main >> text=Overview")
    assert reader.page.url == f"{reader.url}/console/"


def test_headers(console: Server) -> None:
    answer = httpx.get(f"{console.url}/console/login")
    assert answer.headers["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/console" in cookie
    assert "Secure" not in cookie, "the test speaks plain HTTP"


def test_files_are_kept_for_ever_under_their_digest(console: Server) -> None:
    for asset in assets.assets().values():
        answer = httpx.get(f"{console.url}/console/{asset.path}")
        assert answer.content == asset.content
        assert "immutable" in answer.headers["cache-control"]
        assert "set-cookie" not in answer.headers
    assert httpx.get(f"{console.url}/console/static/0000/console.css").status_code == 404


def test_the_vendored_file_is_the_published_one() -> None:
    content = (assets.FOLDER / "htmx.min.js").read_bytes()
    assert sha256(content).hexdigest() == assets.HTMX_SHA256
    assert f'version:"{assets.HTMX_VERSION}"'.encode() in content
    assert (assets.FOLDER / "htmx.LICENSE.txt").read_text().startswith("Zero-Clause BSD")


@pytest.mark.parametrize("token", [None, "", "0" * 64])
def test_a_post_without_its_token_is_refused(console: Server, token: str | None) -> None:
    form = {"key": KEYS["olga-operator"]} | ({} if token is None else {"csrf": token})
    with httpx.Client(base_url=console.url) as browser:
        browser.get("/console/login")
        answer = browser.post("/console/login", data=form)
    assert answer.status_code == 403 and "no valid token" in answer.text


def test_the_log_has_no_secret(console: Server, operator: Visit) -> None:
    said = str(console.lines())
    logins = [each for each in console.lines() if each.get("endpoint") == "/console/login"]
    assert {"POST", "olga-operator"} <= {logins[-1]["method"], logins[-1]["key"]}
    assert KEYS["olga-operator"] not in said
    assert operator.page.context.cookies()[0]["value"] not in said
