"""Compiled: candidates scored exactly, ranked and walked, so that the threshold rises.

Adding items to a set can only raise the score at which the walk over it ends: a page that sees
more items in the same order is full no later. So the end of any walk over some of the items is a
safe threshold for all of them, and what scores below it is in no list. That holds for exact scores
alone: where rough ones swap two items, a page may fill otherwise.
"""

import numpy as np

from tasks.io.jit import Double, Positions, Single, bare
from tasks.recommend._jit.item_blocks import ItemIndex, UserBlock
from tasks.recommend._jit.search_state import Rules, SearchState


@bare
def exact_scores(
    user: Single, items: Single, places: Positions, products: Double, out: Double
) -> None:
    """Score the items at `places` as `exact_score` does; `out` has room for 7 more.

    Eight sums run side by side, each in its own fixed order; `products` (8 x k) is scratch.
    """
    n_factors = len(user)
    for at in range(0, len(places), 8):
        for s in range(min(8, len(places) - at)):
            item = places[at + s]
            for f in range(n_factors):  # exact: 24 bits by 24 bits fit in 53
                products[s, f] = np.float64(user[f]) * np.float64(items[item, f])
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
        for f in range(n_factors):
            s0 += products[0, f]
            s1 += products[1, f]
            s2 += products[2, f]
            s3 += products[3, f]
            s4 += products[4, f]
            s5 += products[5, f]
            s6 += products[6, f]
            s7 += products[7, f]
        out[at], out[at + 1], out[at + 2], out[at + 3] = s0, s1, s2, s3
        out[at + 4], out[at + 5], out[at + 6], out[at + 7] = s4, s5, s6, s7


@bare
def block_bound(u: int, b: int, block: UserBlock, index: ItemIndex) -> float:
    """Return a bound of user u's dense scores of the items of block b, but for the margin."""
    along = block.along[u]
    best = max(along * index.least[b], along * index.most[b])
    return float(best + block.aside[u] * index.aside[b])


@bare
def rank_fresh(u: int, block: UserBlock, index: ItemIndex, state: SearchState) -> int:
    """Score user u's fresh candidates exactly and put them in order; return how many there are."""
    n = int(state.n_fresh[u])
    exact_scores(block.factors[u], index.items, state.fresh[u, :n], state.products, state.exact)
    for at in range(n):
        state.ids[at] = index.ids[state.fresh[u, at]]
    if len(state.linked):
        for at in range(n):
            state.exact[at] += state.linked[state.fresh[u, at]]
    exact, ids = state.exact[:n], state.ids[:n]
    for at in range(n):
        score, item, before = exact[at], ids[at], np.int32(0)
        for other in range(n):  # a rank is a count of what goes before; this runs in vectors
            ahead = (exact[other] > score) | ((exact[other] == score) & (ids[other] < item))
            before += np.int32(ahead)
        state.order[before] = at
    state.n_fresh[u] = 0
    return n


@bare
def settle(u: int, block: UserBlock, index: ItemIndex, state: SearchState, rules: Rules) -> None:
    """Merge user u's fresh candidates with the kept ones, walk, raise the threshold.

    Kept is what the walk may yet need. What it skips on the last page that it can reach, it would
    skip with more items as well: the page would only begin, and a category be full, sooner.
    """
    n_fresh, n_kept = rank_fresh(u, block, index, state), state.n_kept[u]
    state.page_of[:] = -1
    n = keep = left = right = 0
    while n < rules.n and (left < n_kept or right < n_fresh):
        old = right == n_fresh
        if left < n_kept and right < n_fresh:
            at = state.order[right]
            score, other = state.scores[u, left], state.exact[at]
            item = index.ids[state.kept[u, left]]
            old = score > other or (score == other and item < state.ids[at])
        if old:
            place, score = state.kept[u, left], state.scores[u, left]
            left += 1
        else:
            at = state.order[right]
            place, score = state.fresh[u, at], state.exact[at]
            right += 1
        category, page = index.categories[place], n // rules.page_size
        if state.page_of[category] != page:
            state.page_of[category], state.taken[category] = page, 0
        room = state.taken[category] < rules.max_per_category or category == rules.uncapped
        if room or page < rules.last_page:
            state.merged[keep], state.merged_scores[keep] = place, score
            keep += 1
        if room:
            state.taken[category] += 1
            n += 1
    if n == rules.n:
        state.floor[u] = state.merged_scores[keep - 1]
        state.threshold[u] = state.floor[u] - block.margin[u]
    if keep > state.kept.shape[1]:
        state.full[u], state.threshold[u], keep = True, np.inf, 0
    for at in range(keep):
        state.kept[u, at], state.scores[u, at] = state.merged[at], state.merged_scores[at]
    state.n_kept[u] = keep


@bare
def add_fresh(
    u: int, place: int, block: UserBlock, index: ItemIndex, state: SearchState, rules: Rules
) -> bool:
    """Take on a candidate; return whether the threshold may have risen."""
    state.fresh[u, state.n_fresh[u]] = place
    state.n_fresh[u] += 1
    if state.n_fresh[u] < state.fresh.shape[1]:
        return False
    settle(u, block, index, state, rules)
    return True
