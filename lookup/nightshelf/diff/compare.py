"""Comparison of the lists of two generations, A before and B after, by counting.

Pairs of lists go in, batch by batch; what is kept is a counter an item and the few users that
changed most, never the lists.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import NamedTuple

from nightshelf.diff.overlap import jaccard, rank_biased_overlap

#: Item ids, best first, each once.
Items = tuple[str, ...]


class Pair(NamedTuple):
    """A user's two lists, empty where there is none; `corrupt` names keys that cannot be read."""

    user: str
    segment: str
    a: Items
    b: Items
    corrupt: tuple[str, ...] = ()


class Changed(NamedTuple):
    """A user whose list changed; the order is by overlap, ties by id."""

    rank_biased_overlap: float
    user: str
    pair: Pair


class Exposure(NamedTuple):
    """Number and share (0 to 1) of A's and of B's lists that show an item."""

    item_id: str
    a_lists: int
    b_lists: int
    a_share: float
    b_share: float
    difference: float


@dataclass
class Moves:
    """Movement of the lists of one group of users; the means are over users with both lists."""

    n_users: int = 0
    only_a: int = 0
    only_b: int = 0
    identical: int = 0
    first_changed: int = 0
    jaccards: float = 0.0
    overlaps: float = 0.0

    def add(self, pair: Pair, similarity: float, overlap: float) -> None:
        """Count one user, with the Jaccard similarity and the overlap of the two lists."""
        if not (pair.a and pair.b):
            self.only_a += bool(pair.a)
            self.only_b += bool(pair.b)
            return
        self.n_users += 1
        self.identical += pair.a == pair.b
        self.first_changed += pair.a[0] != pair.b[0]
        self.jaccards += similarity
        self.overlaps += overlap

    def figures(self) -> dict[str, int | float | None]:
        """Return counts, and means and shares of 0 to 1 (`None` where nobody has both lists)."""
        sums = {
            "jaccard": self.jaccards,
            "rank_biased_overlap": self.overlaps,
            "identical": self.identical,
            "first_changed": self.first_changed,
        }
        n = self.n_users
        means = {name: round(total / n, 6) if n else None for name, total in sums.items()}
        return {"users": n, "only_a": self.only_a, "only_b": self.only_b, **means}


@dataclass
class Comparison:
    """All that is known of the pairs so far; of the most changed users, `n_changed` are kept.

    A user with a list that cannot be read is in none of the figures but `corrupt`.
    """

    n_changed: int
    overall: Moves = field(default_factory=Moves)
    segments: dict[str, Moves] = field(default_factory=dict)
    changed: list[Changed] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    a_lists: int = 0
    b_lists: int = 0
    _a_shown: Counter[str] = field(default_factory=Counter)
    _b_shown: Counter[str] = field(default_factory=Counter)

    def add(self, pairs: Iterable[Pair]) -> None:
        """Take in a batch; the same pairs in the same order give the same figures, to the bit."""
        changed = []
        for pair in pairs:
            self.corrupt += pair.corrupt
            if pair.corrupt or not (pair.a or pair.b):
                continue
            similarity = jaccard(pair.a, pair.b)
            overlap = rank_biased_overlap(pair.a, pair.b)
            for moves in (self.overall, self.segments.setdefault(pair.segment, Moves())):
                moves.add(pair, similarity, overlap)
            self.a_lists += bool(pair.a)
            self.b_lists += bool(pair.b)
            self._a_shown.update(pair.a)
            self._b_shown.update(pair.b)
            if pair.a and pair.b and pair.a != pair.b:
                changed.append(Changed(overlap, pair.user, pair))
        self.changed = nsmallest(self.n_changed, [*self.changed, *changed])

    def by_segment(self) -> list[tuple[str, Moves]]:
        """Return the segments, most users first, ties by name."""
        return sorted(self.segments.items(), key=lambda named: (-named[1].n_users, named[0]))

    def entered(self) -> list[Exposure]:
        """Return the items that lists of B show and none of A, most shown first, ties by id."""
        items = self._b_shown.keys() - self._a_shown.keys()
        return self._exposures(sorted(items, key=lambda item: (-self._b_shown[item], item)))

    def left(self) -> list[Exposure]:
        """Return the items that lists of A show and none of B, most shown first, ties by id."""
        items = self._a_shown.keys() - self._b_shown.keys()
        return self._exposures(sorted(items, key=lambda item: (-self._a_shown[item], item)))

    def shifts(self) -> list[Exposure]:
        """Return the items whose share of the lists changed, most first, ties by id."""
        # Whole numbers over one denominator, so that ties are ties.
        n_a, n_b = max(1, self.a_lists), max(1, self.b_lists)
        moved = {
            item: abs(self._b_shown[item] * n_a - self._a_shown[item] * n_b)
            for item in self._a_shown.keys() | self._b_shown.keys()
        }
        items = (item for item, by in moved.items() if by)
        return self._exposures(sorted(items, key=lambda item: (-moved[item], item)))

    def _exposures(self, items: Iterable[str]) -> list[Exposure]:
        exposures = []
        for item in items:
            a_lists, b_lists = self._a_shown[item], self._b_shown[item]
            a_share, b_share = a_lists / max(1, self.a_lists), b_lists / max(1, self.b_lists)
            shares = (round(share, 6) for share in (a_share, b_share, b_share - a_share))
            exposures.append(Exposure(item, a_lists, b_lists, *shares))
        return exposures
