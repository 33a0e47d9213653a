"""Compiled: the items that a user's links reach, searched before the scan of all others.

Their scores, the dense part included, set a threshold that few of the others reach. The scan passes
over them, so that the score of each item it meets is the dense part alone.
"""

import numpy as np

from tasks.io.jit import bare
from tasks.recommend._jit.item_blocks import ItemIndex, UserBlock
from tasks.recommend._jit.search_state import UNTOUCHED, Rules, SearchState
from tasks.recommend._jit.threshold import add_fresh, block_bound, settle

#: More than float64 rounds away of a sum over links to which the dense part is added.
_ROUNDING = 2.0**-50
_UNTOUCHED_BITS = int(np.float64(UNTOUCHED).view(np.int64))
#: The sum of a place that is a candidate already.
_TAKEN = -np.inf
#: Halvings of the range in which the first candidates are sought.
_HALVINGS = 16


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
    """Add up user u's links in `linked`; return how many places are `touched`."""
    profiles, near, n = block.profiles, index.links, 0
    for at in range(profiles.starts[u], profiles.starts[u + 1]):
        item, weight = profiles.items[at], np.float64(profiles.weights[at])
        if weight == 0:
            continue
        for link in range(near.starts[item], near.starts[item + 1]):
            place = near.links[link]["place"]
            state.touched[n] = place
            n += state.bits[place] == _UNTOUCHED_BITS
            state.linked[place] += weight * np.float64(near.links[link]["weight"])
    return n


@bare
def hide_touched(u: int, n: int, state: SearchState) -> int:
    """Hide n places touched, put their sums beside them; return how many were not hidden yet."""
    n_new = 0
    for at in range(n):
        place = state.touched[at]
        if is_hidden(u, place, state):  # seen
            state.linked[place] = UNTOUCHED
        else:
            hide(u, place, state)
            state.touched[n_new], state.sums[n_new] = place, state.linked[place]
            n_new += 1
    return n_new


@bare
def count_above(
    n: int, level: float, most: int, index: ItemIndex, state: SearchState, rules: Rules
) -> int:
    """Count the sums of n places that reach a level, at most `most` of a category.

    No further than one more than `fresh` has room for.
    """
    n_above, room = 0, state.fresh.shape[1]
    state.taken[:] = 0
    for at in range(n):
        if state.sums[at] >= level:
            category = index.categories[state.touched[at]]
            if state.taken[category] < most or category == rules.uncapped:
                state.taken[category] += 1
                n_above += 1
                if n_above > room:
                    break
    return n_above


@bare
def best_level(
    n: int, least: float, largest: float, most: int, index: ItemIndex, state: SearchState,
    rules: Rules,
) -> float:  # fmt: skip
    """Return a level that the sums of a list's worth and a few more of n places reach.

    Of a category count `most` at most. No sum is below `least` or above `largest`. Where no level
    is met, return one that too few reach, so that there is room for them.
    """
    room, low, high = state.fresh.shape[1], least, largest
    if n <= room or count_above(n, low, most, index, state, rules) <= room:
        return -np.inf
    for _ in range(_HALVINGS):
        level = low / 2 + high / 2
        n_above = count_above(n, level, most, index, state, rules)
        if n_above > room:
            low = level
        elif n_above < rules.n * 6 // 5:
            high = level
        else:
            return level
    return high


@bare
def nearly(u: int, place: int, b: int, block: UserBlock, index: ItemIndex) -> float:
    """Return a bound of the dense part by whole numbers, whose product stays within 32 bits."""
    whole, total = block.whole, np.int32(0)
    user, item = whole.numbers[u], index.rows[place]
    for f in range(len(user)):
        total = np.int32(total + np.int32(user[f]) * np.int32(item[f]))
    lost = whole.errors[u] * index.longest[b] + whole.lengths[u] * index.errors[b]
    return float(np.float64(total) * whole.units[u] * index.units[b] + lost)


@bare
def add_best(
    n: int, u: int, block: UserBlock, index: ItemIndex, state: SearchState, rules: Rules
) -> None:
    """Take on the n places of largest sums, of a category no more than a list has room for.

    So the walk over them fills a list, and sets a threshold, where most belong to one category.
    """
    least, largest, most = np.inf, -np.inf, rules.max_per_category * (rules.last_page + 1)
    for at in range(n):
        least, largest = min(least, state.sums[at]), max(largest, state.sums[at])
    if n:
        block.margin[u] += _ROUNDING * max(largest, -least)
    level = best_level(n, least, largest, most, index, state, rules)
    state.taken[:] = 0
    for at in range(n):
        category = index.categories[state.touched[at]]
        if state.sums[at] < level or (state.taken[category] >= most and category != rules.uncapped):
            continue
        state.taken[category] += 1
        state.fresh[u, state.n_fresh[u]] = state.touched[at]
        state.n_fresh[u] += 1
        state.sums[at] = _TAKEN
        if state.n_fresh[u] == state.fresh.shape[1]:
            break
    settle(u, block, index, state, rules)


@bare
def add_linked(
    u: int, n: int, block: UserBlock, index: ItemIndex, state: SearchState, rules: Rules
) -> None:
    """Take on the candidates of n places touched: those with the largest sums set a threshold."""
    add_best(n, u, block, index, state, rules)
    highest = -np.inf
    for b in range(len(state.bounds)):
        state.bounds[b] = block_bound(u, b, block, index)
        highest = max(highest, state.bounds[b])
    for at in range(n):
        place, linked = state.touched[at], state.sums[at]
        if linked + highest < state.threshold[u]:
            continue
        b = index.block_of[place]
        if linked == _TAKEN or linked + state.bounds[b] < state.threshold[u]:
            continue
        if linked + nearly(u, place, b, block, index) >= state.threshold[u]:
            add_fresh(u, place, block, index, state, rules)
    if not state.full[u]:
        settle(u, block, index, state, rules)


@bare
def search_links(
    u: int, block: UserBlock, index: ItemIndex, state: SearchState, rules: Rules
) -> None:
    """Take on the candidates among the items that user u's links reach, and hide all of these."""
    for at in range(block.seen_from[u], block.seen_from[u + 1]):
        if block.seen[at] >= 0:
            hide(u, block.seen[at], state)
    n = hide_touched(u, sum_links(u, block, index, state), state)
    flat = block.margin[u] == 0
    add_linked(u, n, block, index, state, rules)
    for at in range(n):
        state.linked[state.touched[at]] = UNTOUCHED
    if flat:
        add_zeros(u, block, index, state, rules)


@bare
def add_zeros(u: int, block: UserBlock, index: ItemIndex, state: SearchState, rules: Rules) -> None:
    """Take on the items not hidden, all of which score 0 for user u, by id until none fits."""
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
