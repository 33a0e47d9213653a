"""The report's page in a browser: on a phone, in the dark, without a serious fault."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from tests.tasks.report.test_build import hostile_night, measured, written

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second of two nights, whose every free text is hostile."""
    root = tmp_path_factory.mktemp("report")
    night = hostile_night(root)
    earlier = root / "shop/6"
    earlier.mkdir()
    written(night).json.rename(earlier / "report.json")
    return written(night, measured(night)).html


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1_400])
def test_page(browser: Browser, page_path: Path, tmp_path: Path, scheme: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.goto(page_path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    serious = [
        (each["id"], each["nodes"][0]["html"][:100])
        for each in Axe().run(page).response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    folder = Path(os.environ.get("NIGHTSHELF_SCREENSHOTS", tmp_path))
    page.screenshot(path=folder / f"report-{scheme}-{width}.png", full_page=True)
    page.close()
    assert (serious, faults) == ([], [])
