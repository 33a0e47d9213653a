"""Lists as the inspector shows them: titles, reasons in words, and marks of hidden items."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis import Redis

from nightshelf.contract.keys import Keys
from nightshelf.contract.values import RankedList, Reason, members, row
from nightshelf.diff.compare import Pair
from nightshelf.diff.document import side_by_side
from nightshelf.errors import CorruptValue, InvalidKey
from nightshelf.text import reason_text


@dataclass(frozen=True)
class Named:
    """Title and category of an item, each `None` where no feature row has it."""

    title: str | None = None
    category: str | None = None


@dataclass(frozen=True)
class Masks:
    """Hidden items: for everyone (`blocked`, `unavailable`), and for one user (`acted_on`)."""

    blocked: frozenset[str]
    unavailable: frozenset[str]
    acted_on: frozenset[str] = frozenset()

    def of(self, item: str) -> tuple[str, ...]:
        """Return the marks of an item; none where it may be shown."""
        marks = {
            "blocked": self.blocked,
            "unavailable": self.unavailable,
            "acted on": self.acted_on,
        }
        return tuple(name for name, items in marks.items() if item in items)


@dataclass(frozen=True)
class Place:
    """An item of a list: its rank from 1, title, category, score, reason in words, and marks."""

    rank: int
    item_id: str
    title: str | None
    category: str | None
    score: float
    reason: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Beside:
    """Two lists beside one another: `a`, then `b`, as `nightshelf diff` marks them.

    `ranks` are those of `nightshelf.diff.document.side_by_side`; `counts` are over both whole
    lists: items that stayed, moved, are new in B, or are gone from it. `missing` says why there is
    nothing to compare with.
    """

    name: str
    a: str
    b: str
    ranks: Sequence[Mapping[str, Any]] = ()
    counts: Mapping[str, int] | None = None
    missing: str = ""


def read_masks(client: Redis, keys: Keys) -> Masks:
    """Read the items that are hidden for everyone."""
    with client.pipeline(transaction=False) as pipe:
        pipe.smembers(keys.blocked)
        pipe.smembers(keys.unavailable)
        return Masks(*map(members, pipe.execute()))


def read_names(
    client: Redis, keys: Keys, generations: Iterable[int], items: Iterable[str]
) -> dict[str, Named]:
    """Return titles and categories by id; the first generation that has a row decides.

    An item without a row has no entry.
    """
    found: dict[str, Named] = {}
    wanted = set(items)
    for generation in generations:
        places = {}
        for item in sorted(wanted - found.keys()):
            with suppress(InvalidKey):  # an item of a list that was written by hand
                places[item] = keys.item(generation, item)
        with client.pipeline(transaction=False) as pipe:
            for key in places.values():
                pipe.get(key)
            values = pipe.execute() if places else []
        for item, value in zip(places, values, strict=True):
            if value is not None:
                found[item] = _named(value)
    return found


def places_of(
    ranked: RankedList, names: Mapping[str, Named], masks: Masks, first: int = 1
) -> tuple[Place, ...]:
    """Return the places of a list, counted from `first`."""
    titles = {item: each.title for item, each in names.items() if each.title}
    rows = zip(ranked.items, ranked.scores, ranked.reasons, strict=True)
    return tuple(
        Place(
            rank,
            item,
            names.get(item, Named()).title,
            names.get(item, Named()).category,
            score,
            reason_text(reason, titles),
            masks.of(item),
        )
        for rank, (item, score, reason) in enumerate(rows, first)
    )


def beside(
    name: str,
    a: tuple[str, Collection[str]],
    b: tuple[str, Collection[str]],
    n_ranks: int,
    titles: Mapping[str, str],
) -> Beside:
    """Compare the lists `a` and `b`, each with its name."""
    pair = Pair("", "", tuple(a[1]), tuple(b[1]))
    return Beside(name, a[0], b[0], side_by_side(pair, n_ranks, titles), _counts(pair), missing="")


def decoded(value: bytes | None) -> RankedList | None:
    """Decode a stored list; `None` where there is none, or one that cannot be read."""
    with suppress(CorruptValue):
        return RankedList.from_json(value) if value is not None else None
    return None


def named_in(ranked: RankedList) -> set[str]:
    """Return the ids of items in a list and in its reasons."""
    return set(ranked.items).union(*map(_of_reason, ranked.reasons))


def _of_reason(reason: Reason) -> tuple[str, ...]:
    return reason[1:] if reason[:1] in (("because",), ("similar",)) else ()


def _named(value: bytes) -> Named:
    with suppress(CorruptValue):
        read = row(value)
        fields = (read.get(name) for name in ("title", "category"))
        return Named(*(str(each) if each else None for each in fields))
    return Named()


def _counts(pair: Pair) -> dict[str, int]:
    before = {item: rank for rank, item in enumerate(pair.a)}
    now = {item: rank for rank, item in enumerate(pair.b)}
    both = before.keys() & now.keys()
    n_stayed = sum(before[item] == now[item] for item in both)
    return {
        "stayed": n_stayed,
        "moved": len(both) - n_stayed,
        "new": len(now) - len(both),
        "gone": len(before) - len(both),
    }
