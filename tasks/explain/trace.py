"""Trace of a user's list: the night's walk repeated for one user."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.explain.saved_model import Night
from tasks.models.base import POPULAR

#: Contributions that are named for an item.
_NAMED = 5


@dataclass(frozen=True)
class Person:
    """Counts for a user: history, candidates, and items that each rule left out.

    - `n_history`: items whose events say something; `n_seen`: not to be shown again, for an event
      of `seen_types`.
    - `n_model_items`: items with factors; `n_unavailable` of them, not counting seen ones.
    - `n_candidates`: what is left to walk; `n_listed`: the list's length.
    - `n_no_room`: candidates above the list's end that their category had no room for, being
      `max_per_category` in a page of `page_size`.
    - `trades`: rules that moved places after the walk, or took its place; the trace is the walk.
    """

    n_history: int
    n_seen: int
    n_model_items: int
    n_unavailable: int
    n_candidates: int
    n_listed: int
    n_no_room: int
    seen_types: tuple[str, ...]
    max_per_category: int
    page_size: int
    trades: tuple[str, ...]


@dataclass(frozen=True)
class Because:
    """An item of the user's history, and the part of a score that the model owes to it.

    Without `item_id` it is recent popularity. `share`, 0 to 1, is its part of all that speaks for
    the item. Points add up to the score but roughly: the items' factors were fitted once more after
    the users'.
    """

    item_id: str | None
    points: float
    share: float


@dataclass(frozen=True)
class Rival:
    """An item that took the room of another of its category, and its place in the list, from 1."""

    item_id: str
    position: int
    score: float


@dataclass(frozen=True)
class Place:
    """Outcome of an item for a user.

    `outcome` is ``listed``, ``seen``, ``unavailable``, ``no room`` (its category was full on
    `page`), ``below`` (the list was complete before its turn) or ``not in the model``. `rank`
    counts from 1 among the candidates by score, `position` from 1 in the list as computed.
    `because` begins with the reason of the model's lists, the largest of a blend's largest part,
    which its other parts may outweigh; the rest is by points, largest first, without negative ones.
    `rivals` took the room where there was none.
    """

    outcome: str
    score: float | None = None
    rank: int | None = None
    position: int | None = None
    page: int | None = None
    category: str | None = None
    last_score: float | None = None
    because: tuple[Because, ...] = ()
    rivals: tuple[Rival, ...] = ()


def trace(night: Night, user: str, item: str | None) -> tuple[Person | None, Place | None]:
    """Trace a user's list, and an item in it or not; `None` for a user without factors."""
    u, i = _find(night.model.user_ids, user), _find(night.model.item_ids, item)
    if u is None:
        return None, None
    scores = night.model.scoring.of(np.array([u])).scores(0)
    seen = np.zeros(len(scores), bool)
    seen[night.seen[u].indices] = True
    candidates = ~seen & night.catalogue.available
    order = np.lexsort((np.arange(len(scores)), -scores))
    order = order[candidates[order]]
    steps = list(_walk(order, night))
    listed = [at for at, page, taken in steps if taken]
    person = Person(
        n_history=int(night.histories.strengths[u].nnz),
        n_seen=int(seen.sum()),
        n_model_items=len(scores),
        n_unavailable=int((~night.catalogue.available & ~seen).sum()),
        n_candidates=len(order),
        n_listed=len(listed),
        n_no_room=len(steps) - len(listed),
        seen_types=night.seen_types,
        max_per_category=night.rules.max_per_category,
        page_size=night.rules.page_size,
        trades=night.rules.trades,
    )
    if item is None:
        return person, None
    if i is None:
        return person, Place("not in the model")
    outcome, page = _outcome(i, steps, seen=bool(seen[i]), candidate=bool(candidates[i]))
    ranks = np.flatnonzero(order == i)
    return person, Place(
        outcome=outcome,
        score=float(scores[i]),
        rank=int(ranks[0]) + 1 if len(ranks) else None,
        position=listed.index(i) + 1 if i in listed else None,
        page=page,
        category=night.catalogue.category_names[night.catalogue.categories[i]],
        last_score=float(scores[listed[-1]]) if listed else None,
        because=_because(night, u, i),
        rivals=_rivals(night, i, page, listed, scores) if outcome == "no room" else (),
    )


def _walk(order: npt.NDArray[np.int64], night: Night) -> Iterator[tuple[int, int, bool]]:
    """Yield (item, page from 1, whether it was taken) until the list is complete."""
    rules, uncapped, n_listed = night.rules, night.catalogue.uncapped, 0
    room: dict[int, int] = {}
    for at in order.tolist():
        if n_listed == rules.n:
            return
        if n_listed % rules.page_size == 0 and sum(room.values()) == rules.page_size:
            room = {}
        category = int(night.catalogue.categories[at])
        taken = room.get(category, 0) < rules.max_per_category or category == uncapped
        yield at, n_listed // rules.page_size + 1, taken
        if taken:
            room[category] = room.get(category, 0) + 1
            n_listed += 1


def _outcome(
    item: int, steps: list[tuple[int, int, bool]], *, seen: bool, candidate: bool
) -> tuple[str, int | None]:
    """Return an item's outcome and its page."""
    if not candidate:
        return ("seen" if seen else "unavailable"), None
    for at, page, taken in steps:
        if at == item:
            return ("listed" if taken else "no room"), page
    return "below", None


def _rivals(
    night: Night,
    item: int,
    page: int | None,
    listed: list[int],
    scores: npt.NDArray[np.float64],
) -> tuple[Rival, ...]:
    """Return the items that had taken the room of an item's category on its page."""
    assert page is not None, "who finds no room was on a page"
    first, n_most = (page - 1) * night.rules.page_size, night.rules.max_per_category
    categories = night.catalogue.categories
    alike = [
        Rival(night.model.item_ids[at].as_py(), position, float(scores[at]))
        for position, at in enumerate(listed[first : first + night.rules.page_size], first + 1)
        if categories[at] == categories[item]
    ]
    return tuple(alike[:n_most])


def _because(night: Night, user: int, item: int) -> tuple[Because, ...]:
    """Return the reason of a place, then the largest of all else that adds to its score."""
    rows, listed = np.array([user]), np.array([[item]], np.int32)
    history = night.histories.of(rows)
    of_history, popular = night.model.contributions(history, item)
    points = dict(zip(history.strengths.indices.tolist(), of_history.tolist(), strict=True))
    points[POPULAR] = popular
    total = sum(each for each in points.values() if each > 0)
    if not total:
        return ()
    reason = int(night.model.of(rows).reasons(history)(0, listed, np.array([1]))[0, 0])
    order = sorted(points, key=lambda at: (at != reason, -points[at], at))
    ids = night.model.item_ids
    return tuple(
        Because(
            None if at == POPULAR else ids[at].as_py(),
            points[at],
            max(points[at], 0) / total,
        )
        for at in order[:_NAMED]
        if at == reason or points[at] > 0
    )


def _find(ids: pa.StringArray, wanted: str | None) -> int | None:
    at = pc.index(ids, wanted).as_py() if wanted is not None else -1
    return None if at < 0 else int(at)
