"""A page in Debian's chromium that notes all that goes wrong, and pictures of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
#: Of the screens: a phone's width and a wide one's, in light and dark.
WIDTHS, SCHEMES = (400, 1400), ("light", "dark")
_SERIOUS = {"serious", "critical"}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser, or skip the test where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: the tests of pages need Debian's chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """A page of one visitor, with the faults of all that it has loaded.

    `refusals` are the statuses that a test expects: an answer with one of them is no fault.
    """

    def __init__(self, page: Page, url: str, pictures: Path) -> None:
        self.page = page
        self.url = url
        self.refusals: set[int] = set()
        self.hosts: set[str] = set()
        self.pictures_in = pictures
        self._faults: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._faults.append(f"page error: {error}"))
        page.on("request", self._asked)
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)

    def go(self, path: str = "") -> Page:
        """Open a page below the console."""
        self.page.wait_for_load_state()  # what a click has begun ends first
        self.page.goto(f"{self.url}/console/{path}")
        return self.page

    def log_in(self, key: str) -> None:
        """Log in with a key, and end at the overview."""
        self.go("login")
        self.page.fill("#key", key)
        self.page.click("main button")
        self.page.wait_for_load_state()

    @property
    def text(self) -> str:
        """The text of the page's main part."""
        return self.page.inner_text("main")

    def faults(self) -> list[str]:
        """Return what has gone wrong so far."""
        own = urlsplit(self.url).netloc
        return [*self._faults, *(f"foreign host: {host}" for host in self.hosts - {own})]

    def axe(self) -> list[str]:
        """Return the serious faults that axe finds on this page."""
        found: list[dict[str, Any]] = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {each['help']}: {each['nodes'][0]['html']}"
            for each in found
            if each["impact"] in _SERIOUS
        ]

    def pictures(self, name: str) -> list[Path]:
        """Take the page's screenshots, light and dark, narrow and wide, and check its widths."""
        taken = []
        for scheme in SCHEMES:
            self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for width in WIDTHS:
                self.page.set_viewport_size({"width": width, "height": 900})
                wide = self.page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"{name} is {wide} pixels wide on a screen of {width}"
                if width == WIDTHS[-1]:
                    assert not (serious := self.axe()), "\n".join(serious)
                taken.append(self.pictures_in / f"{name}-{scheme}-{width}.png")
                self.page.screenshot(path=taken[-1], full_page=True)
        self.page.emulate_media(color_scheme="light")
        return taken

    def _said(self, message: ConsoleMessage) -> None:
        # The browser repeats a refusal's status as an error; `_answered` judges it.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self._faults.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith("data:"):
            self.hosts.add(urlsplit(request.url).netloc)

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the visit itself has gone on to another page
            self._faults.append(f"failed: {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.refusals:
            self._faults.append(f"status {response.status}: {response.url}")


@contextmanager
def visiting(browser: Browser, url: str, pictures: Path) -> Iterator[Visit]:
    """Yield a visit of a visitor without cookies; faults at its end fail the test."""
    folder = Path(os.environ.get("NIGHTSHELF_SCREENSHOTS", pictures))
    folder.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    try:
        visit = Visit(context.new_page(), url, folder)
        yield visit
        assert not visit.faults(), "\n".join(visit.faults())
    finally:
        context.close()
