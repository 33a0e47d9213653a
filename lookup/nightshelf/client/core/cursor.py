"""Cursor: an opaque text from which the next page of a list goes on.

It holds the generation, the position among stored items, the filters' fingerprint and the fallback
level, and nothing of the user.
"""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

from nightshelf.errors import InvalidCursor

_MAX_LENGTH = 2_048
_KINDS = ("list", "popular")


@dataclass(frozen=True)
class Cursor:
    """A parsed cursor; `level` as in `nightshelf.client.core.masking.MaskedList`."""

    generation: int
    at: int
    filters: str
    level: str

    def __str__(self) -> str:
        return text_of(self.generation, self.at, self.filters, self.level)

    @classmethod
    def parse(cls, text: str, filters: str) -> "Cursor":
        """Parse a cursor; `InvalidCursor` for other texts, or other filters than it was made with.

        >>> Cursor.parse("44.10.-.list%3Aals", "-")
        Cursor(generation=44, at=10, filters='-', level='list:als')
        """
        parts = text[:_MAX_LENGTH].split(".", 3)
        if len(parts) != 4 or not all(_is_number(part) for part in parts[:2]):
            raise InvalidCursor(f"not a cursor: {text[:80]!r}; pass on what a result gave")
        if parts[2] != filters:
            raise InvalidCursor("a cursor goes with the filters that it was given out with")
        level = unquote(parts[3])
        kind, colon, name = level.partition(":")
        if kind not in _KINDS or not colon or not name:
            raise InvalidCursor(f"not a cursor: {text[:80]!r}; pass on what a result gave")
        return cls(int(parts[0]), int(parts[1]), parts[2], level)


def text_of(generation: int, at: int, filters: str, level: str) -> str:
    """Return a cursor's text; every page has one, so no `Cursor` is made for it."""
    return f"{generation}.{at}.{filters}.{_quoted(level)}"


@lru_cache(maxsize=1_024)  # few distinct levels, one for every page
def _quoted(level: str) -> str:
    return quote(level, safe="")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18
