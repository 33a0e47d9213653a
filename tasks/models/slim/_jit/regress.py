"""Compiled: each item's regression on the items most like it.

An item of n candidates takes n x n products a sweep, and as many to look up their cosines: 0.1 ms
of 100. numpy's solver, one item after another, takes ten times that.
"""

import numpy as np

from tasks.io.jit import Positions, Single, compiled

#: Rounds of coordinate descent at most, and the largest change of a weight after which it ends.
_SWEEPS, _SETTLED = 20, 1e-3


@compiled
def regress(
    first: int,
    last: int,
    spans: Positions,
    similar: Positions,
    cosines: Single,
    ridge: Single,
    chosen: Positions,
    links: Single,
) -> None:
    """Fill `chosen` and `links` (items x n) of items first to last - 1: candidates and weights.

    `spans` are the bounds of the items' rows of `similar`, positions in order, and of `cosines`.
    Candidates are the n largest of a row, ties by position; places beyond them stay as they are.
    `ridge` is of each item. Minimises, over weights of 0 at least, for the unit columns X of the
    candidates, |x_i - X w|^2 + sum_j ridge_j w_j^2.
    """
    n_items, n = links.shape
    shrink = 1 + ridge
    slot = np.full(n_items, n, np.int32)  # place among the candidates; n for other items
    cosine = np.zeros((n, n + 1), np.float32)  # the last column takes those of other items
    for item in range(first, last):
        own = cosines[spans[item] : spans[item + 1]]
        order = np.argsort(-own, kind="mergesort")[:n]
        size, weights = len(order), links[item]
        for place in range(size):
            chosen[item, place] = similar[spans[item] + order[place]]
            slot[chosen[item, place]] = place
        for place in range(size):
            other = chosen[item, place]
            for at in range(spans[other], spans[other + 1]):
                cosine[place, slot[similar[at]]] = cosines[at]
        for place in range(size):  # a cosine may be among the largest of one of the two alone
            for other in range(place):
                both = max(cosine[place, other], cosine[other, place])
                cosine[place, other] = cosine[other, place] = both
        left = own[order]  # the cosines, less what the weights explain of them
        for _ in range(_SWEEPS):
            moved = np.float32(0)
            for place in range(size):
                found = max(left[place] / shrink[chosen[item, place]], np.float32(0))
                change = found - weights[place]
                if change:
                    weights[place] = found
                    for other in range(size):
                        left[other] -= change * cosine[place, other]
                    moved = max(moved, abs(change))
            if moved < _SETTLED:
                break
        for place in range(size):
            slot[chosen[item, place]] = n
        cosine[:size, :size] = 0
