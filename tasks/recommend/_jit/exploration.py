"""The compiled dealing out of exploration places, one user after another."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.io.jit import Double, Flags, Positions, Single, compiled
from tasks.recommend._jit.links import Links, Profiles, add_links, clear_links
from tasks.recommend._jit.threshold import exact_scores


class Places(NamedTuple):
    """Which places of a list explore, and what holds there.

    The last `slots` of each page of a full list of `n`; a category but the one numbered `uncapped`
    has room for `max_per_category` of a page, an item for `most` lists.
    """

    n: int
    page_size: int
    slots: int
    max_per_category: int
    most: int
    uncapped: int = -1


class Tastes(NamedTuple):
    """Items to explore, and the users they may go to.

    - `liked[liked_from[u]:liked_from[u + 1]]`: user u's favourite categories.
    - `pool[pool_from[g]:pool_from[g + 1]]`: the items of category g to explore, by position.
    - `seen[seen_from[u]:seen_from[u + 1]]`: what user u must not be shown.
    """

    liked_from: npt.NDArray[np.int64]
    liked: npt.NDArray[np.int32]
    pool_from: npt.NDArray[np.int64]
    pool: npt.NDArray[np.int32]
    seen_from: npt.NDArray[np.int32] | npt.NDArray[np.int64]
    seen: npt.NDArray[np.int32]


class ScoreParts(NamedTuple):
    """The parts of the score: factors of users and items, profiles and links by position."""

    users: Single
    items: Single
    profiles: Profiles
    links: Links


class Table(NamedTuple):
    """State of the exploration.

    - `shown` (items): how many lists show an item, as things stand.
    - `hidden` (items): the last user for whom an item was out of the question.
    - `scored_for`, `score` (items): the last user for whom an item was scored, and the score.
    - `taken` (categories): places of a category on the page in hand.
    - `linked` (items): the sums over links of the user in hand; empty without links.
    - `equals`, `fresh` (pool), `exact` (pool + 7), `products` (8 x k): scratch.
    """

    shown: npt.NDArray[np.int64]
    hidden: npt.NDArray[np.int64]
    scored_for: npt.NDArray[np.int64]
    score: Double
    taken: npt.NDArray[np.int64]
    equals: npt.NDArray[np.int32]
    fresh: npt.NDArray[np.int32]
    exact: Double
    products: Double
    linked: Double


def open_table(
    shown: npt.NDArray[np.int64], n_categories: int, n_pool: int, parts: ScoreParts
) -> Table:
    """Lay the table for the first user."""
    n_items = len(shown)
    return Table(
        shown=shown,
        hidden=np.full(n_items, -1, np.int64),
        scored_for=np.full(n_items, -1, np.int64),
        score=np.empty(n_items),
        taken=np.zeros(n_categories, np.int64),
        equals=np.empty(n_pool, np.int32),
        fresh=np.empty(n_pool, np.int32),
        exact=np.empty(n_pool + 7),
        products=np.empty((8, parts.items.shape[1])),
        linked=np.zeros(n_items if len(parts.links.links) else 0),
    )


@compiled
def least_exposed(u: int, places: Places, tastes: Tastes, table: Table) -> int:
    """Collect what fits user u and the fewest lists show in `equals`; return how many there are."""
    n, fewest = 0, places.most  # nothing that stands in `most` lists is taken
    for at in range(tastes.liked_from[u], tastes.liked_from[u + 1]):
        category = tastes.liked[at]
        full = table.taken[category] >= places.max_per_category
        if full and category != places.uncapped:
            continue
        for place in range(tastes.pool_from[category], tastes.pool_from[category + 1]):
            item = tastes.pool[place]
            shown = table.shown[item]
            if shown > fewest or shown == places.most or table.hidden[item] == u:
                continue
            if shown < fewest:
                n, fewest = 0, shown
            table.equals[n] = item
            n += 1
    return n


@compiled
def highest(u: int, n: int, parts: ScoreParts, table: Table) -> int:
    """Return which of `equals[:n]` user u scores highest, of equals the smallest id.

    A score is computed once a user, though an item may come up for several places.
    """
    n_fresh = 0
    for c in range(n):
        item = table.equals[c]
        if table.scored_for[item] != u:
            table.scored_for[item], table.fresh[n_fresh] = u, item
            n_fresh += 1
    exact_scores(parts.users[u], parts.items, table.fresh[:n_fresh], table.products, table.exact)
    for c in range(n_fresh):
        item = table.fresh[c]
        table.score[item] = table.exact[c]
        if len(table.linked):
            table.score[item] += table.linked[item]
    best = table.equals[0]
    for c in range(1, n):
        item = table.equals[c]
        ahead = table.score[item] == table.score[best] and item < best
        best = item if table.score[item] > table.score[best] or ahead else best
    return int(best)


@compiled
def explore_lists(
    parts: ScoreParts,
    categories: Positions,
    places: Places,
    tastes: Tastes,
    table: Table,
    listed: Positions,
    scores: Double,
    lengths: Positions,
    explored: Flags,
) -> None:
    """Deal pool items to the exploring places of all lists, in place (docs/decisions/0016).

    `explored` (users x n) marks what was dealt.
    """
    for u in range(len(parts.users)):
        if len(table.linked):
            add_links(u, parts.profiles, parts.links, table.linked)
        for at in range(tastes.seen_from[u], tastes.seen_from[u + 1]):
            table.hidden[tastes.seen[at]] = u
        for at in range(lengths[u]):
            table.hidden[listed[u, at]] = u
        for first in range(0, lengths[u], places.page_size):
            end = min(first + places.page_size, places.n)
            stop = min(end, lengths[u])
            for at in range(first, stop):
                table.taken[categories[listed[u, at]]] += 1
            for at in range(max(first, end - places.slots), stop):
                old = listed[u, at]
                table.taken[categories[old]] -= 1
                n = least_exposed(u, places, tastes, table)
                if n > 0:
                    best = highest(u, n, parts, table)
                    table.shown[old] -= 1
                    table.shown[best] += 1
                    table.hidden[old], table.hidden[best] = -1, u
                    listed[u, at], scores[u, at] = best, table.score[best]
                    explored[u, at] = True
                table.taken[categories[listed[u, at]]] += 1
            for at in range(first, stop):
                table.taken[categories[listed[u, at]]] = 0
        if len(table.linked):
            clear_links(u, parts.profiles, parts.links, table.linked)
