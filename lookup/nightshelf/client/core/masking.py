"""Masking: leave hidden items out of a list, and cut it to a page."""

from collections.abc import Sequence, Set
from typing import NamedTuple

from nightshelf.client.core.stored_list import StoredList
from nightshelf.client.results import Item
from nightshelf.contract.experiment import Assignment
from nightshelf.contract.values import Manifest

#: Name of the blend of a user's favourite categories, beside the segments' names.
FAVORITES = "favorites"


class Masks(NamedTuple):
    """Hidden items: `excluded` for everyone (`blocked` in reasons too), `masked` for one user."""

    excluded: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.excluded or self.masked)

    def touch(self, ranked: StoredList) -> bool:
        """Tell whether any item or reason of a list is hidden."""
        return ranked.names(self.excluded) or not self.masked.isdisjoint(ranked.items)

    def leave(self, ranked: StoredList) -> bool:
        """Tell whether a list has an item that may be shown."""
        hidden = self.excluded | self.masked if self.masked else self.excluded
        return not hidden.issuperset(ranked.items) if hidden else bool(ranked.items)


NO_MASKS = Masks()


class MaskedList(NamedTuple):
    """A list of one generation, its fallback level, and the masks to apply.

    `level` is ``list:<model>``, ``popular:<segment>``, ``similar:<item>`` or ``popular:favorites``;
    ids are raw. `assignment` is the user's in an experiment, whichever the level.
    """

    level: str
    ranked: StoredList
    live: Manifest
    masks: Masks = NO_MASKS
    assignment: Assignment | None = None

    @property
    def source(self) -> str:
        """The level as `Result.source` names it."""
        kind, _, _ = self.level.partition(":")
        return self.level if kind == "popular" else kind


class Page(NamedTuple):
    """Items, the position (over all lists, unmasked) of the next one, and the first item's list."""

    items: tuple[Item, ...]
    next_at: int | None
    first_of: int = 0


def cut(
    lists: Sequence[StoredList],
    n: int,
    masks: Masks,
    *,
    start: int = 0,
    allowed: Set[str] | None = None,
) -> Page:
    """Return the next `n` items from position `start` of the concatenated lists.

    Positions count stored items, so a change of masks between pages shifts nothing; a repeated item
    counts at its first place. `allowed` are the items that pass a filter; `None` for all.
    """
    if len(lists) == 1 and not start and allowed is None:
        (only,) = lists
        if not masks or not masks.touch(only):
            return Page(only.first(n), n if len(only.items) > n else None)
    hidden = masks.excluded | masks.masked
    seen: set[str] = set()
    items: list[Item] = []
    at, first_of = 0, 0
    for number, ranked in enumerate(lists):
        for place, item in enumerate(ranked.items):
            is_first = item not in seen
            seen.add(item)
            if (
                at >= start
                and is_first
                and item not in hidden
                and (allowed is None or item in allowed)
            ):
                if len(items) == n:
                    return Page(tuple(items), at, first_of)
                first_of = first_of if items else number
                items.append(ranked.at(place, masks.blocked))
            at += 1
    return Page(tuple(items), None, first_of)


def blend(lists: Sequence[StoredList]) -> StoredList:
    """Interleave lists, each item once; scores stay those of its own list."""
    turns = [
        (ranked, place)
        for place in range(max((len(ranked.items) for ranked in lists), default=0))
        for ranked in lists
        if place < len(ranked.items)
    ]
    firsts = {ranked.items[place]: (ranked, place) for ranked, place in reversed(turns)}
    chosen = [turn for turn in turns if firsts[turn[0].items[turn[1]]] == turn]
    return StoredList(
        [ranked.items[place] for ranked, place in chosen],
        [ranked.scores[place] for ranked, place in chosen],
        [ranked.reasons[place] for ranked, place in chosen],
    )
