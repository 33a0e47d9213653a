"""From bytes to what a page needs, as little as can be: most of a list is never looked at."""

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

#: As `Item._make`, without its check of the length.
_item: Callable[[Iterable[Any]], Item] = partial(tuple.__new__, Item)
_FIELDS = itemgetter("items", "scores", "reasons", "why")
#: What a value that is not ours can make of decoding: the last is JSON nested without end.
UNREADABLE = (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError)


class Shelved:
    """A list as it was stored, checked as a whole; items become `Item` when they are shown.

    Decodes a list to the same as `RankedList.from_json`, at a fraction of its cost. `reasons` are
    one for each item. Thousands are kept: what they hold is tuples, which Python's garbage
    collector need not look into again.
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
    def from_json(cls, value: bytes | str) -> "Shelved":
        """Decode; `CorruptValue` where the value is not a list of this contract."""
        try:
            items, scores, distinct, why = _FIELDS(loads(value))
            "".join(items)  # raises where one is no text, all of them in one step
            "".join(chain.from_iterable(distinct))
            distinct = [*map(tuple, distinct)]
            reasons = [distinct[at] for at in why]
            # The sum is not finite where a score is not; where they are but it is not, ask each.
            finite = math.isfinite(sum(scores)) or all(map(math.isfinite, scores))
        except UNREADABLE as error:
            raise CorruptValue(f"not a list of contract {VERSION}: {value[:80]!r}") from error
        shaped = isinstance(items, list) and len(items) == len(scores) == len(reasons)
        if not (finite and shaped):
            raise CorruptValue(f"not a list of contract {VERSION}: {value[:80]!r}")
        return cls(items, scores, reasons)

    def first(self, n: int) -> tuple[Item, ...]:
        """Return the first `n` items, made once."""
        shown = self._shown
        if len(shown) < n and len(shown) < len(self.items):
            rows = zip(self.items[:n], self.scores[:n], self.reasons[:n], repeat(None))
            shown = self._shown = tuple(map(_item, rows))
        return shown if len(shown) == n else shown[:n]

    def at(self, place: int, blocked: Set[str] = frozenset()) -> Item:
        """Return the item at a place; a reason that names what is blocked becomes ``taste``."""
        reason = self.reasons[place]
        if blocked and reason[:1] in (("because",), ("similar",)):
            reason = reason if blocked.isdisjoint(reason[1:]) else ("taste",)
        return Item(self.items[place], self.scores[place], reason)

    def names(self, hidden: Set[str]) -> bool:
        """Tell whether any item, or what a reason needs, is among `hidden`."""
        if self._named is None:
            self._named = frozenset(self.items).union(*self.reasons)
        return not self._named.isdisjoint(hidden)

    def ranked(self) -> RankedList:
        """Return the same as `RankedList`."""
        return RankedList(self.items, tuple(map(float, self.scores)), self.reasons)
