"""Where a page ended: opaque to apps, and without a word about the user.

It holds the generation, the position (over what is stored, not over what was shown), the filters'
fingerprint and the rung.
"""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

from nightshelf.errors import InvalidCursor

_MAX_LENGTH = 2_048
_KINDS = ("list", "popular")


@dataclass(frozen=True)
class Cursor:
    """`rung` as `nightshelf.client.core.masking.Found` has it."""

    generation: int
    at: int
    filters: str
    rung: str

    def __str__(self) -> str:
        return text_of(self.generation, self.at, self.filters, self.rung)

    @classmethod
    def parse(cls, text: str, filters: str) -> "Cursor":
        """Return what `str` made; `InvalidCursor` for other texts, or of other filters.

        >>> Cursor.parse("44.10.-.list%3Aals", "-")
        Cursor(generation=44, at=10, filters='-', rung='list:als')
        """
        parts = text[:_MAX_LENGTH].split(".", 3)
        if len(parts) != 4 or not all(_is_number(part) for part in parts[:2]):
            raise InvalidCursor(f"not a cursor: {text[:80]!r}; pass on what a result gave")
        if parts[2] != filters:
            raise InvalidCursor("a cursor goes with the filters that it was given out with")
        rung = unquote(parts[3])
        kind, colon, name = rung.partition(":")
        if kind not in _KINDS or not colon or not name:
            raise InvalidCursor(f"not a cursor: {text[:80]!r}; pass on what a result gave")
        return cls(int(parts[0]), int(parts[1]), parts[2], rung)


def text_of(generation: int, at: int, filters: str, rung: str) -> str:
    """Return a cursor's text without making it; every page has one, and few are asked with."""
    return f"{generation}.{at}.{filters}.{_quoted(rung)}"


@lru_cache(maxsize=1_024)  # there are few rungs, and every page names one
def _quoted(rung: str) -> str:
    return quote(rung, safe="")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18
