"""Filters: conditions on items by their feature rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32


@dataclass(frozen=True)
class Filters:
    """Conditions on items, all of which must hold; an item without a feature row fails them.

    `categories`: one of these; `not_categories`: none of these. `min_price`, `max_price`: a known
    price within, ends included. `tags`: any of these. `in_stock`: is available.
    """

    categories: tuple[str, ...] = ()
    not_categories: tuple[str, ...] = ()
    min_price: float | None = None
    max_price: float | None = None
    tags: tuple[str, ...] = ()
    in_stock: bool = False

    def __bool__(self) -> bool:
        return self != _NONE

    def admits(self, row: Mapping[str, Any]) -> bool:
        """Tell whether an item with this feature row passes.

        >>> Filters(categories=("Toys",), max_price=10).admits({"category": "Toys", "price": 9.5})
        True
        """
        category, tags = row.get("category"), row.get("tags")
        if self.categories and category not in self.categories:
            return False
        if category in self.not_categories or not self._affords(row.get("price")):
            return False
        if self.tags and not (isinstance(tags, list) and any(tag in tags for tag in self.tags)):
            return False
        return not self.in_stock or row.get("available") is True

    def _affords(self, price: object) -> bool:
        if self.min_price is None and self.max_price is None:
            return True
        if isinstance(price, bool) or not isinstance(price, int | float):
            return False
        above = self.min_price is None or price >= self.min_price
        return above and (self.max_price is None or price <= self.max_price)


_NONE = Filters()


def fingerprint(filters: Filters | None) -> str:
    """Return a short checksum of filters, which a cursor holds."""
    return f"{crc32(repr(filters).encode()):08x}" if filters else "-"
