"""Compiled: the items that a user's links reach, scored before the scan of all others.

Their scores, the dense part included, set a threshold that few of the others reach. The scan passes
over them, so that the score of each item it meets is the dense part alone.
"""

import numpy as np

from tasks.io.jit import bare
from tasks.recommend._jit.item_blocks import ItemIndex, UserBlock
from tasks.recommend._jit.search_state import Rules, SearchState
from tasks.recommend._jit.threshold import add_fresh, settle

#: More than the part of a sum over links that float64 rounds away when the dense part is added.
_ROUNDING = 2.0**-50


@bare
def is_hidden(u: int, place: int, state: SearchState) -> bool:
    """Tell whether the scan passes over a place for user u."""
    return bool(state.hidden[u, place >> 6] >> np.uint64(place & 63) & np.uint64(1))


@bare
def hide(u: int, place: int, state: SearchState) -> None:
    """Have the scan pass over a place for user u."""
    state.hidden[u, place >> 6] |= np.uint64(1) << np.uint64(place & 63)


@bare
def sum_links(u: int, block: UserBlock, index: ItemIndex, state: SearchState) -> int:
    """Add up user u's links in `linked`; return how many places not hidden are `touched`."""
    profiles, links, n = block.profiles, index.links, 0
    for at in range(profiles.starts[u], profiles.starts[u + 1]):
        item, weight = profiles.items[at], np.float64(profiles.weights[at])
        for link in range(links.starts[item], links.starts[item + 1]):
            place = links.places[link]
            state.linked[place] += weight * np.float64(links.weights[link])
            state.touched[n] = place
            n += not is_hidden(u, place, state)
            hide(u, place, state)
    return n


@bare
def search_links(
    u: int, block: UserBlock, index: ItemIndex, state: SearchState, rules: Rules
) -> None:
    """Take on the candidates among the items that user u's links reach, and hide all of these."""
    for at in range(block.seen_from[u], block.seen_from[u + 1]):
        if block.seen[at] >= 0:
            hide(u, block.seen[at], state)
    n, largest = sum_links(u, block, index, state), 0.0
    for at in range(n):
        largest = max(largest, abs(state.linked[state.touched[at]]))
    flat = block.margin[u] == 0
    block.margin[u] += _ROUNDING * largest
    for at in range(n):
        place = state.touched[at]
        dense = block.along[u] * index.along[place] + block.aside[u] * index.apart[place]
        if dense + state.linked[place] >= state.threshold[u]:
            add_fresh(u, place, block, index, state, rules)
    if not state.full[u]:
        settle(u, block, index, state, rules)
    for at in range(n):
        state.linked[state.touched[at]] = 0.0
    for at in range(block.seen_from[u], block.seen_from[u + 1]):
        if block.seen[at] >= 0:
            state.linked[block.seen[at]] = 0.0
    if flat:
        add_zeros(u, block, index, state, rules)


@bare
def add_zeros(u: int, block: UserBlock, index: ItemIndex, state: SearchState, rules: Rules) -> None:
    """Take on the items that score 0 for user u, all that are not hidden, by id until none fits."""
    for item in range(len(index.place)):
        place = index.place[item]
        if place < 0 or is_hidden(u, place, state):
            continue
        if state.full[u] or state.floor[u] > 0:
            break
        if state.floor[u] == 0 and index.ids[state.kept[u, state.n_kept[u] - 1]] < item:
            break
        add_fresh(u, place, block, index, state, rules)
    if not state.full[u]:
        settle(u, block, index, state, rules)
    state.threshold[u] = np.inf
