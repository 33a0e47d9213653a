"""Trace of a user's list: the night's walk repeated for one user."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks.explain.saved_model import Night
from tasks.models.base import POPULAR

#: Contributions that are named for an item.
_NAMED = 5
#: Steps of a walk that are told at most.
MAX_STEPS = 500


@dataclass(frozen=True)
class Person:
    """Counts for a user: history, candidates, and items that each rule left out.

    - `n_history`: items whose events say something; `n_seen`: not to be shown again, for an event
      of `seen_types`.
    - `n_model_items`: items that the model knows; `n_unavailable` of them, not counting seen ones;
      `n_unscored` of the rest, which neither a factor nor a link gives a score.
    - `n_candidates`: what is left to walk; `n_listed`: the list's length.
    - `n_no_room`: candidates above the list's end that their category had no room for, being
      `max_per_category` in a page of `page_size`.
    - `trades`: rules that moved places after the walk, or took its place; the trace is the walk.
    - `active_within_days`: the night made no list for users without an event in so many days.
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
    n_unscored: int = 0
    active_within_days: int | None = None


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

    `outcome` is ``listed``, ``seen``, ``unavailable``, ``not scored`` (it has neither factors nor
    links), ``no room`` (its category was full on `page`), ``below`` (the list was complete before
    its turn) or ``not in the model``. `rank` counts from 1 among the candidates by score,
    `position` from 1 in the list as computed. `because` begins with the reason of the model's
    lists, the largest of a blend's largest part, which its other parts may outweigh; the rest is by
    points, largest first, without negative ones. `rivals` took the room where there was none.
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


@dataclass(frozen=True)
class Step:
    """An item in the order of a walk, with its outcome as in `Place`.

    Items that are left out before the walk stand where their score would place them.
    """

    item_id: str
    score: float
    category: str
    outcome: str
    position: int | None
    page: int | None


class _Walk(NamedTuple):
    """The walk of user `u`: all items' scores and flags, candidates by score, and steps taken."""

    u: int
    scores: npt.NDArray[np.float64]
    seen: npt.NDArray[np.bool_]
    available: npt.NDArray[np.bool_]
    candidates: npt.NDArray[np.bool_]
    order: npt.NDArray[np.int64]
    steps: list[tuple[int, int, bool]]

    @property
    def listed(self) -> list[int]:
        """Items of the list, best first."""
        return [at for at, _, taken in self.steps if taken]


def trace(night: Night, user: str, item: str | None) -> tuple[Person | None, Place | None]:
    """Trace a user's list, and an item in it or not; `None` for a user without factors."""
    u = _find(night.model.user_ids, user)
    if u is None:
        return None, None
    walk = _walk_of(night, u)
    person = _person(night, walk)
    if item is None:
        return person, None
    i = _find(night.model.item_ids, item)
    return person, Place("not in the model") if i is None else _place(night, walk, i)


def steps_of(night: Night, user: str) -> tuple[Step, ...]:
    """Return the items from the best score to the list's end, `MAX_STEPS` at most.

    None for a user without factors.
    """
    u = _find(night.model.user_ids, user)
    if u is None:
        return ()
    walk = _walk_of(night, u)
    walked = {at: (page, taken) for at, page, taken in walk.steps}
    last = walk.steps[-1][0] if walk.steps else None
    positions = {at: position for position, at in enumerate(walk.listed, 1)}
    found = []
    for at in _by_score(walk.scores)[:MAX_STEPS].tolist():
        page, taken = walked.get(at, (None, False))
        found.append(
            Step(
                night.model.item_ids[at].as_py(),
                float(walk.scores[at]),
                night.catalogue.category_names[night.catalogue.categories[at]],
                _outcome(at, walk)[0],
                positions.get(at) if taken else None,
                page,
            )
        )
        if at == last:
            break
    return tuple(found)


def _walk_of(night: Night, u: int) -> _Walk:
    """Walk the items for a user as the night did."""
    # Of the user's rows alone: a blend weighs all users' at once.
    scores = night.model.of(np.array([u])).scoring.scores(0)
    seen = np.zeros(len(scores), bool)
    seen[night.seen[u].indices] = True
    available = night.catalogue.available
    candidates = ~seen & available & night.scored
    order = _by_score(scores)
    order = order[candidates[order]]
    return _Walk(u, scores, seen, available, candidates, order, list(_walk(order, night)))


def _by_score(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.lexsort((np.arange(len(scores)), -scores))


def _person(night: Night, walk: _Walk) -> Person:
    n_listed = len(walk.listed)
    return Person(
        n_history=int(night.histories.strengths[walk.u].nnz),
        n_seen=int(walk.seen.sum()),
        n_model_items=len(walk.scores),
        n_unavailable=int((~walk.available & ~walk.seen).sum()),
        n_candidates=len(walk.order),
        n_listed=n_listed,
        n_no_room=len(walk.steps) - n_listed,
        seen_types=night.seen_types,
        max_per_category=night.rules.max_per_category,
        page_size=night.rules.page_size,
        trades=night.rules.trades,
        n_unscored=int((walk.available & ~walk.seen & ~night.scored).sum()),
        active_within_days=night.rules.active_within_days,
    )


def _place(night: Night, walk: _Walk, item: int) -> Place:
    outcome, page = _outcome(item, walk)
    ranks = np.flatnonzero(walk.order == item)
    listed, scores = walk.listed, walk.scores
    return Place(
        outcome=outcome,
        score=float(scores[item]),
        rank=int(ranks[0]) + 1 if len(ranks) else None,
        position=listed.index(item) + 1 if item in listed else None,
        page=page,
        category=night.catalogue.category_names[night.catalogue.categories[item]],
        last_score=float(scores[listed[-1]]) if listed else None,
        because=_because(night, walk.u, item),
        rivals=_rivals(night, item, page, listed, scores) if outcome == "no room" else (),
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


def _outcome(item: int, walk: _Walk) -> tuple[str, int | None]:
    """Return an item's outcome and its page."""
    if not walk.candidates[item]:
        if walk.seen[item]:
            return "seen", None
        return ("not scored" if walk.available[item] else "unavailable"), None
    for at, page, taken in walk.steps:
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
