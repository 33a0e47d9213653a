"""The site of the documentation: it builds without a warning, and every link of it holds."""

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import nightshelf
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
#: Pages outside the site, which code hosts show.
_LOOSE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")


class Page(HTMLParser):
    """Anchors of a page, the places that it links to, and the files that it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        self.ids |= {of[name] for name in ("id", "name") if name in of}
        if tag == "a" and "href" in of:
            self.links.append(of["href"])
        elif tag in ("img", "script", "link", "source", "iframe"):
            self.loads += [of[name] for name in ("src", "href") if name in of]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    made = re.search(r"^docs:.*\n\t@\$\(BIN\)/python (.*) build/docs$", _makefile(), re.MULTILINE)
    assert made
    done = subprocess.run(
        [sys.executable, *made[1].split(), str(folder / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


def _makefile() -> str:
    return (ROOT / "Makefile").read_text()


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    found = [path for path in site.rglob("*.html") if "_downloads" not in path.parts]
    return {path.resolve(): Page(path) for path in found}


def test_no_link_is_broken(pages: dict[Path, Page]) -> None:
    broken = [
        f"{path.name}: {link}"
        for path, page in pages.items()
        for link in page.links
        if not holds(path, link, pages)
    ]
    assert not broken, broken[:20]


def holds(path: Path, link: str, pages: dict[Path, Page]) -> bool:
    """Report whether a link leads to a file of the site, and to an anchor there."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return parts.scheme in ("http", "https", "mailto")
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not parts.fragment or target not in pages:
        return target.is_file()
    return unquote(parts.fragment) in pages[target].ids


def test_the_site_loads_nothing_from_elsewhere(pages: dict[Path, Page]) -> None:
    loaded = {load for page in pages.values() for load in page.loads}
    assert not [load for load in loaded if urlsplit(load).netloc or load.startswith("//")]
    for style in (path for path in pages if path.name == "index.html"):
        for sheet in (style.parent / "_static").rglob("*.css"):
            assert not re.search(r"url\(['\"]?(https?:)?//", sheet.read_text())


def test_the_index_shows_every_page(site: Path, pages: dict[Path, Page]) -> None:
    """A reader of the index's tables meets each page but the single decisions."""
    text = (ROOT / "docs/index.md").read_text().partition("```{toctree}")[0]
    linked = set(re.findall(r"\]\(([^)#]+\.md)\)", text))
    written = {
        path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")
    } - {"index.md", "api/client.md", "api/admin.md", "api/contract.md"}
    assert linked == {name for name in written if not re.match(r"decisions/\d", name)}


def test_the_reference_has_every_public_name(site: Path) -> None:
    """Each name of the package stands on the page of the client, with what its docstring says."""
    shown = Page(site / "api/client.html").ids
    missing = [
        name
        for name in nightshelf.__all__
        if not {f"nightshelf.{name}", f"nightshelf.errors.{name}"} & shown
    ]
    assert missing == []


def test_pages_outside_the_site_link_to_what_is_there() -> None:
    broken = [f"{name}: {link}" for name in _LOOSE for link in _links(name) if not _is_there(link)]
    assert not broken


def _links(name: str) -> Iterator[str]:
    path = ROOT / name
    if path.is_file():
        yield from re.findall(r"\]\((?!https?:)([^)\s]+)\)", path.read_text())
        yield from re.findall(r'(?:src|srcset|href)="(?!https?:)([^"]+)"', path.read_text())


def _is_there(link: str) -> bool:
    file, _, anchor = link.partition("#")
    path = ROOT / file
    return path.exists() and (not anchor or anchor in _anchors(path.read_text()))


def _anchors(text: str) -> set[str]:
    """Return the anchors that code hosts give to the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<h1 id="top">x</h1><a href="#top">a</a><a href="#gone">b</a><a href="c">c</a>')
    pages = {page.resolve(): Page(page)}
    links = pages[page.resolve()].links
    assert [holds(page.resolve(), link, pages) for link in links] == [True, False, False]
