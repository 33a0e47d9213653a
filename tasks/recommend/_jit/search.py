"""Compiled: the search for exact lists, from products of users and items to candidates to lists.

A block of items is multiplied only with the users whose bound reaches their threshold.
"""

from typing import Any

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from tasks.io.jit import Double, Positions, bare, compiled
from tasks.recommend._jit.category_cap import walk
from tasks.recommend._jit.int16_dot import TEAM, WORD, hits, products
from tasks.recommend._jit.item_blocks import ItemIndex, UserBlock
from tasks.recommend._jit.links import add_links
from tasks.recommend._jit.search_links import is_hidden, search_links
from tasks.recommend._jit.search_state import Rules, SearchState
from tasks.recommend._jit.threshold import add_fresh, block_bound, exact_scores, settle

_lowest_bit: Any = trailing_zeros
#: Halvings of the range in which the first candidates are sought.
_HALVINGS = 16
#: What no product comes down to, and what none is above.
_LOWEST, _HIGHEST = -(2**31), 2**31 - 1


@bare
def threshold_of(
    u: int, b: int, block: UserBlock, index: ItemIndex, state: SearchState
) -> np.int32:
    """Return what user u's products with the items of block b must be above to matter.

    That is the threshold less what rounding to whole numbers may take away, in units of both.
    """
    whole, unit = block.whole, block.whole.units[u] * index.units[b]
    lost = whole.errors[u] * index.longest[b] + whole.lengths[u] * index.errors[b]
    least = np.floor((state.threshold[u] - lost) / unit) - 1
    return np.int32(min(max(least, _LOWEST), _HIGHEST))


@bare
def hide_seen(u: int, row: Positions, block: UserBlock, state: SearchState) -> None:
    """Put the lowest where a place of the first block is seen, or scored by its links before."""
    if len(state.linked):
        for place in range(len(row)):
            if is_hidden(u, place, state):
                row[place] = _LOWEST
        return
    at, end = state.cursor[u], block.seen_from[u + 1]
    while at < end and block.seen[at] < len(row):
        if block.seen[at] >= 0:
            row[block.seen[at]] = _LOWEST
        at += 1
    state.cursor[u] = at


@bare
def has_seen(u: int, place: int, block: UserBlock, state: SearchState) -> bool:
    """Tell whether user u is done with a place, as `hide_seen` does; they are asked in order."""
    if len(state.linked):
        return is_hidden(u, place, state)
    at, end = state.cursor[u], block.seen_from[u + 1]
    while at < end and block.seen[at] < place:
        at += 1
    state.cursor[u] = at
    return bool(at < end and block.seen[at] == place)


@bare
def first_look(
    u: int, row: Positions, block: UserBlock, index: ItemIndex, state: SearchState, rules: Rules
) -> None:
    """Begin with the best of the first block's products, so that few of the others pass.

    Halves the range of products until a list's worth and a few more pass; takes those out of the
    row. Where ties allow no such level, nothing is taken.
    """
    low: int = _HIGHEST
    high: int = _LOWEST
    for product in row:
        low = min(low, int(product) if product > _LOWEST else low)
        high = max(high, int(product))
    n, level = np.int32(0), np.int32(0)
    for _ in range(_HALVINGS):
        n, level = np.int32(0), np.int32((low + high) // 2)
        for product in row:
            n = np.int32(n + (product >= level))  # in 32 bits it runs in vectors twice as wide
        if n > state.fresh.shape[1]:
            low = int(level)
        elif n < rules.n * 6 // 5:
            high = int(level)
        else:
            break
    if 0 < n <= state.fresh.shape[1]:
        for at in range(len(row)):
            if row[at] >= level:
                state.fresh[u, state.n_fresh[u]] = at
                state.n_fresh[u] += 1
                row[at] = _LOWEST
        settle(u, block, index, state, rules)


@bare
def scan_head(n: int, block: UserBlock, index: ItemIndex, state: SearchState, rules: Rules) -> None:
    """Take on the candidates of the first block for the first `n` of the team."""
    for word in range(index.words[1]):
        products(block.whole.numbers, state.team, index.numbers, word, state.head)
    for t in range(n):
        u, row = state.team[t], state.head[t, : index.starts[1]]
        hide_seen(u, row, block, state)
        if state.threshold[u] == -np.inf:
            first_look(u, row, block, index, state, rules)
        threshold = threshold_of(u, 0, block, index, state)
        for at in range(len(row)):
            if row[at] > threshold and add_fresh(u, at, block, index, state, rules):
                threshold = threshold_of(u, 0, block, index, state)


@bare
def scan(
    n: int, b: int, block: UserBlock, index: ItemIndex, state: SearchState, rules: Rules
) -> None:
    """Take on the candidates of block b for the first `n` of the team."""
    for t in range(TEAM):
        state.thresholds[t] = threshold_of(state.team[t], b, block, index, state)
    for word in range(index.words[b], index.words[b + 1]):
        hits(block.whole.numbers, state.team, index.numbers, word, state.thresholds, state.hits)
        first = index.starts[b] + WORD * (word - index.words[b])
        for t in range(n):
            left, u = state.hits[t], state.team[t]
            while left:
                place = first + np.int64(_lowest_bit(left))
                left &= left - np.uint64(1)
                if place >= index.starts[b + 1]:
                    break
                if has_seen(u, place, block, state):
                    continue
                if add_fresh(u, place, block, index, state, rules):
                    state.thresholds[t] = threshold_of(u, b, block, index, state)


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
    if len(state.linked):
        linked = np.zeros(len(index.items))
        add_links(u, block.profiles, index.links, linked)
        exact[:-7] += linked
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
def begin(block: UserBlock, index: ItemIndex, state: SearchState, rules: Rules) -> None:
    """Put what each user has seen in order, and take on what links reach."""
    for u in range(len(block.factors)):
        block.seen[block.seen_from[u] : block.seen_from[u + 1]].sort()
        state.cursor[u] = block.seen_from[u]
        if len(state.linked):
            search_links(u, block, index, state, rules)


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
    begin(block, index, state, rules)
    for b in range(len(index.starts) - 1):
        n_active = 0
        for u in range(n_users):
            state.active[n_active] = u
            n_active += block_bound(u, b, block, index) >= state.threshold[u]
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
