"""A list found on some rung, masked, and cut to a page."""

from collections.abc import Sequence, Set
from typing import NamedTuple

from nightshelf.client.core.stored_list import Shelved
from nightshelf.client.results import Item
from nightshelf.contract.values import Manifest

#: The blend of a user's favourite categories is no key: it has a name beside the segments'.
FAVORITES = "favorites"


class Masks(NamedTuple):
    """What is not to be shown.

    To nobody: `withdrawn`, of which `blocked` not even as a reason. To this user: `acted`.
    """

    withdrawn: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    acted: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.withdrawn or self.acted)

    def touch(self, ranked: Shelved) -> bool:
        """Tell whether a list is not shown as it was stored."""
        return ranked.names(self.withdrawn) or not self.acted.isdisjoint(ranked.items)

    def leave(self, ranked: Shelved) -> bool:
        """Tell whether anything of a list may be shown."""
        hidden = self.withdrawn | self.acted if self.acted else self.withdrawn
        return not hidden.issuperset(ranked.items) if hidden else bool(ranked.items)


NO_MASKS = Masks()


class Found(NamedTuple):
    """A list of one generation, and the rung it was found on.

    `rung` is ``list:<model>``, ``popular:<segment>``, ``similar:<item>`` or ``popular:favorites``;
    ids are raw.
    """

    rung: str
    ranked: Shelved
    live: Manifest
    masks: Masks = NO_MASKS

    @property
    def source(self) -> str:
        """The rung as answers name it."""
        kind, _, _ = self.rung.partition(":")
        return self.rung if kind == "popular" else kind


class Page(NamedTuple):
    """Items, the position (over all lists, before masks) of the next one, and the first's list."""

    items: tuple[Item, ...]
    next_at: int | None
    first_of: int = 0


def cut(
    lists: Sequence[Shelved],
    n: int,
    masks: Masks,
    *,
    start: int = 0,
    allowed: Set[str] | None = None,
) -> Page:
    """Return the next `n` items from position `start` of the lists, one after another.

    Positions count what is stored, so masks that come and go between pages move nothing; an item
    counts where it stands first. `allowed` are the items that pass a filter; `None` for all.
    """
    if len(lists) == 1 and not start and allowed is None:
        (only,) = lists
        if not masks or not masks.touch(only):
            return Page(only.first(n), n if len(only.items) > n else None)
    hidden = masks.withdrawn | masks.acted
    gone: set[str] = set()
    items: list[Item] = []
    at, first_of = 0, 0
    for number, ranked in enumerate(lists):
        for place, item in enumerate(ranked.items):
            fresh = item not in gone
            gone.add(item)
            if (
                at >= start
                and fresh
                and item not in hidden
                and (allowed is None or item in allowed)
            ):
                if len(items) == n:
                    return Page(tuple(items), at, first_of)
                first_of = first_of if items else number
                items.append(ranked.at(place, masks.blocked))
            at += 1
    return Page(tuple(items), None, first_of)


def blend(lists: Sequence[Shelved]) -> Shelved:
    """Take from each list in turn, an item once; scores stay their own lists'."""
    turns = [
        (ranked, place)
        for place in range(max((len(ranked.items) for ranked in lists), default=0))
        for ranked in lists
        if place < len(ranked.items)
    ]
    firsts = {ranked.items[place]: (ranked, place) for ranked, place in reversed(turns)}
    chosen = [turn for turn in turns if firsts[turn[0].items[turn[1]]] == turn]
    return Shelved(
        [ranked.items[place] for ranked, place in chosen],
        [ranked.scores[place] for ranked, place in chosen],
        [ranked.reasons[place] for ranked, place in chosen],
    )
