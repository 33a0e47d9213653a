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
    links: Single,
) -> None:
    """Fill `links` (items x n) of items first to last - 1 with the weights of their candidates.

    `spans` are the bounds of the items' rows of `similar` and `cosines`, the largest first; the
    first n of a row are its candidates, and their weights stand in that order. `ridge` is of each
    item. Minimises, over weights of 0 at least, for the unit columns X of the items,
    |x_i - X w|^2 + sum_j ridge_j w_j^2.
    """
    n_items, n = links.shape
    slot = np.full(n_items, -1, np.int32)  # place among the candidates; -1 for other items
    cosine = np.zeros((n, n), np.float32)
    for item in range(first, last):
        start = spans[item]
        size = min(n, spans[item + 1] - start)
        chosen, weights = similar[start : start + size], links[item]
        for place in range(size):
            slot[chosen[place]] = place
        for place in range(size):
            for at in range(spans[chosen[place]], spans[chosen[place] + 1]):
                other = slot[similar[at]]
                if other >= 0:
                    cosine[place, other] = cosine[other, place] = cosines[at]
        for _ in range(_SWEEPS):
            moved = 0.0
            for place in range(size):
                left = cosines[start + place]
                for other in range(size):
                    left -= cosine[place, other] * weights[other]
                before, weights[place] = weights[place], max(left / (1 + ridge[chosen[place]]), 0)
                moved = max(moved, abs(weights[place] - before))
            if moved < _SETTLED:
                break
        for place in range(size):
            slot[chosen[place]] = -1
        cosine[:size, :size] = 0
