"""The compiled search for exact lists: blocks of items are searched for whom they still concern."""

import numpy as np

from tasks.io.jit import Double, Positions, compiled
from tasks.recommend._jit.category_cap import walk
from tasks.recommend._jit.int16_dot import TEAM
from tasks.recommend._jit.item_blocks import ItemIndex, UserBlock
from tasks.recommend._jit.scan import scan, scan_head
from tasks.recommend._jit.search_state import Rules, SearchState
from tasks.recommend._jit.threshold import exact_scores, settle


@compiled
def walk_all(
    u: int,
    block: UserBlock,
    index: ItemIndex,
    state: SearchState,
    rules: Rules,
    out: Positions,
    scores: Double,
) -> int:
    """Score all items exactly for the rare user whose candidates were too many to keep.

    `out` gets places; the floor found so far still holds. Returns the list's length.
    """
    user, seen = block.factors[u], block.seen[block.seen_from[u] : block.seen_from[u + 1]]
    exact = np.empty(len(index.items) + 7)
    exact_scores(user, index.items, np.arange(len(index.items)), state.products, exact)
    for at in range(len(seen)):
        if seen[at] >= 0:
            exact[seen[at]] = -np.inf
    passed = np.flatnonzero((exact[:-7] >= state.floor[u]) & (exact[:-7] > -np.inf))
    by_id = passed[np.argsort(index.ids[passed])]
    order = by_id[np.argsort(-exact[by_id], kind="mergesort")]  # stable: ties stay in id order
    n = walk(
        order, index.categories, rules.n_categories, rules.page_size, rules.max_per_category,
        rules.uncapped, out[: rules.n],
    )  # fmt: skip
    for at in range(n):
        scores[at] = exact[out[at]]
    return n


@compiled
def walk_kept(
    u: int, index: ItemIndex, state: SearchState, rules: Rules, out: Positions, scores: Double
) -> int:
    """Walk user u's kept candidates, which hold the whole list; `out` gets places."""
    n = walk(
        state.kept[u, : state.n_kept[u]], index.categories, rules.n_categories, rules.page_size,
        rules.max_per_category, rules.uncapped, out[: rules.n],
    )  # fmt: skip
    at = 0
    for place in range(n):
        while state.kept[u, at] != out[place]:
            at += 1
        scores[place] = state.scores[u, at]
    return n


@compiled
def list_block(
    block: UserBlock,
    index: ItemIndex,
    state: SearchState,
    rules: Rules,
    out: Positions,
    scores: Double,
    lengths: Positions,
) -> None:
    """Find the lists of a block of users: positions (u x n), exact scores and lengths.

    A block of items is multiplied with those users only whose bound reaches their threshold.
    """
    n_users = len(block.factors)
    for u in range(n_users):
        block.seen[block.seen_from[u] : block.seen_from[u + 1]].sort()
        state.cursor[u] = block.seen_from[u]
    for b in range(len(index.starts) - 1):
        n_active = 0
        for u in range(n_users):
            along = block.along[u]
            best = max(along * index.least[b], along * index.most[b])
            state.active[n_active] = u
            n_active += best + block.aside[u] * index.aside[b] >= state.threshold[u]
        for start in range(0, n_active, TEAM):
            for t in range(TEAM):  # the last team is filled up with its last user
                state.team[t] = state.active[min(start + t, n_active - 1)]
            n = min(TEAM, n_active - start)
            if b == 0:
                scan_head(n, block, index, state, rules)
            else:
                scan(n, b, block, index, state, rules)
    for u in range(n_users):
        if not state.full[u]:
            settle(u, block, index, state, rules)
        if state.full[u]:
            lengths[u] = walk_all(u, block, index, state, rules, out[u], scores[u])
        else:
            lengths[u] = walk_kept(u, index, state, rules, out[u], scores[u])
        for at in range(lengths[u]):
            out[u, at] = index.ids[out[u, at]]
