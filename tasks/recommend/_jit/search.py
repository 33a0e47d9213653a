"""The compiled search for exact lists: blocks of items are searched for whom they still concern."""

import numpy as np

from tasks.io.jit import Double, Positions, compiled
from tasks.recommend._jit.category_cap import walk
from tasks.recommend._jit.int16_dot import TEAM
from tasks.recommend._jit.item_blocks import Crowd, Stock
from tasks.recommend._jit.scan import scan, scan_head
from tasks.recommend._jit.search_state import Desk, Rules
from tasks.recommend._jit.threshold import exact_scores, settle


@compiled
def walk_all(
    u: int, crowd: Crowd, stock: Stock, desk: Desk, rules: Rules, out: Positions, scores: Double
) -> int:
    """Score all items exactly for the rare user whose candidates were too many to keep.

    `out` gets places; the floor found so far still holds. Returns the list's length.
    """
    user, seen = crowd.factors[u], crowd.seen[crowd.seen_from[u] : crowd.seen_from[u + 1]]
    exact = np.empty(len(stock.items) + 7)
    exact_scores(user, stock.items, np.arange(len(stock.items)), desk.products, exact)
    for at in range(len(seen)):
        if seen[at] >= 0:
            exact[seen[at]] = -np.inf
    passed = np.flatnonzero((exact[:-7] >= desk.floor[u]) & (exact[:-7] > -np.inf))
    by_id = passed[np.argsort(stock.ids[passed])]
    order = by_id[np.argsort(-exact[by_id], kind="mergesort")]  # stable: ties stay in id order
    n = walk(
        order, stock.categories, rules.n_categories, rules.page_size, rules.max_per_category,
        rules.uncapped, out[: rules.n],
    )  # fmt: skip
    for at in range(n):
        scores[at] = exact[out[at]]
    return n


@compiled
def walk_kept(
    u: int, stock: Stock, desk: Desk, rules: Rules, out: Positions, scores: Double
) -> int:
    """Walk user u's kept candidates, which hold the whole list; `out` gets places."""
    n = walk(
        desk.kept[u, : desk.n_kept[u]], stock.categories, rules.n_categories, rules.page_size,
        rules.max_per_category, rules.uncapped, out[: rules.n],
    )  # fmt: skip
    at = 0
    for place in range(n):
        while desk.kept[u, at] != out[place]:
            at += 1
        scores[place] = desk.scores[u, at]
    return n


@compiled
def list_block(
    crowd: Crowd,
    stock: Stock,
    desk: Desk,
    rules: Rules,
    out: Positions,
    scores: Double,
    lengths: Positions,
) -> None:
    """Find the lists of a block of users: positions (u x n), exact scores and lengths.

    A block of items is multiplied with those users only whose bound reaches their threshold.
    """
    n_users = len(crowd.factors)
    for u in range(n_users):
        crowd.seen[crowd.seen_from[u] : crowd.seen_from[u + 1]].sort()
        desk.cursor[u] = crowd.seen_from[u]
    for b in range(len(stock.starts) - 1):
        n_active = 0
        for u in range(n_users):
            along = crowd.along[u]
            best = max(along * stock.least[b], along * stock.most[b])
            desk.active[n_active] = u
            n_active += best + crowd.aside[u] * stock.aside[b] >= desk.bar[u]
        for start in range(0, n_active, TEAM):
            for t in range(TEAM):  # the last team is filled up with its last user
                desk.team[t] = desk.active[min(start + t, n_active - 1)]
            n = min(TEAM, n_active - start)
            if b == 0:
                scan_head(n, crowd, stock, desk, rules)
            else:
                scan(n, b, crowd, stock, desk, rules)
    for u in range(n_users):
        if not desk.full[u]:
            settle(u, crowd, stock, desk, rules)
        if desk.full[u]:
            lengths[u] = walk_all(u, crowd, stock, desk, rules, out[u], scores[u])
        else:
            lengths[u] = walk_kept(u, stock, desk, rules, out[u], scores[u])
        for at in range(lengths[u]):
            out[u, at] = stock.ids[out[u, at]]
