"""The API's page in a browser, without internet."""

from tests.console.browser import Visit


def test_the_page_of_the_api_shows_its_operations(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{visit.url}/docs")
    page.wait_for_selector(".opblock-summary-path")
    operations = page.locator(".opblock-summary-path").all_inner_texts()
    assert any("recommendations" in each for each in operations)
    assert not any("console" in each for each in operations)
    page.click(".opblock-summary >> nth=0")
    page.wait_for_selector(".parameters-container")
    page.screenshot(path=visit.pictures_in / "docs.png")
