"""Decoder of stored lists for pages: most items of a list are never built."""

import math
from collections.abc import Callable, Iterable, Set
from functools import partial
from itertools import chain, repeat
from operator import itemgetter
from typing import Any

from nightshelf.client.results import Item
from nightshelf.contract.keys import VERSION
from nightshelf.contract.values import RankedList, Reason, loads
from nightshelf.errors import CorruptValue

#: `Item._make` without its check of the length.
_item: Callable[[Iterable[Any]], Item] = partial(tuple.__new__, Item)
_FIELDS = itemgetter("items", "scores", "reasons", "why")
#: Errors of decoding a foreign value; the last comes of deeply nested JSON.
UNREADABLE = (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError)


class StoredList:
    """A stored list, checked as a whole; items become `Item` when they are shown.

    Equal to `RankedList.from_json` at a fraction of its cost. `reasons` has one for each item.
    Thousands are cached, as tuples, which the garbage collector need not traverse again.
    """

    __slots__ = ("_named", "_shown", "items", "reasons", "scores")

    def __init__(
        self, items: Iterable[str], scores: Iterable[float], reasons: Iterable[Reason]
    ) -> None:
        self.items = tuple(items)
        self.scores = tuple(scores)
        self.reasons = tuple(reasons)
        self._shown: tuple[Item, ...] = ()
        self._named: frozenset[str] | None = None

    @classmethod
    def from_json(cls, value: bytes | str) -> "StoredList":
        """Decode; `CorruptValue` where the value is not a list of this contract."""
        try:
            items, scores, distinct, why = _FIELDS(loads(value))
            "".join(items)  # raises where one is not a text, in one step for all
            "".join(chain.from_iterable(distinct))
            distinct = [*map(tuple, distinct)]
            reasons = [distinct[at] for at in why]
            # A score that is not finite makes the sum so; where only the sum overflows, check each.
            finite = math.isfinite(sum(scores)) or all(map(math.isfinite, scores))
        except UNREADABLE as error:
            raise CorruptValue(f"not a list of contract {VERSION}: {value[:80]!r}") from error
        shaped = isinstance(items, list) and len(items) == len(scores) == len(reasons)
        if not (finite and shaped):
            raise CorruptValue(f"not a list of contract {VERSION}: {value[:80]!r}")
        return cls(items, scores, reasons)

    def first(self, n: int) -> tuple[Item, ...]:
        """Return the first `n` items, built once."""
        shown = self._shown
        if len(shown) < n and len(shown) < len(self.items):
            rows = zip(self.items[:n], self.scores[:n], self.reasons[:n], repeat(None))
            shown = self._shown = tuple(map(_item, rows))
        return shown if len(shown) == n else shown[:n]

    def at(self, place: int, blocked: Set[str] = frozenset()) -> Item:
        """Return the item at a place; a reason that names a blocked item becomes ``taste``."""
        reason = self.reasons[place]
        if blocked and reason[:1] in (("because",), ("similar",)):
            reason = reason if blocked.isdisjoint(reason[1:]) else ("taste",)
        return Item(self.items[place], self.scores[place], reason)

    def names(self, hidden: Set[str]) -> bool:
        """Tell whether an item, or one named by a reason, is among `hidden`."""
        if self._named is None:
            self._named = frozenset(self.items).union(*self.reasons)
        return not self._named.isdisjoint(hidden)

    def ranked(self) -> RankedList:
        """Return the list as `RankedList`."""
        return RankedList(self.items, tuple(map(float, self.scores)), self.reasons)
