"""Static files of the console, under paths with their digests, so that browsers may keep them."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
#: The vendored file: https://github.com/bigskysoftware/htmx, 0BSD (static/htmx.LICENSE.txt).
HTMX_VERSION = "2.0.10"
HTMX_SHA256 = "71ea67185bfa8c98c39d31717c6fce5d852370fcdfd129db4543774d3145c0de"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """A file as it is sent, and its path below the console."""

    path: str
    content: bytes
    media_type: str


@cache
def assets() -> dict[str, Asset]:
    """Return the static files by name."""
    found = {}
    for file in sorted(FOLDER.iterdir()):
        if file.suffix in _TYPES:
            content = file.read_bytes()
            path = f"static/{sha256(content).hexdigest()[:16]}/{file.name}"
            found[file.name] = Asset(path, content, _TYPES[file.suffix])
    return found
