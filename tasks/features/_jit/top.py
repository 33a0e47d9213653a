"""Compiled top-k of a user: items viewed last, categories of most points."""

import numpy as np

from tasks.features.arrays import Ints, Longs
from tasks.io.jit import compiled

#: Last view of an item never viewed.
NO_VIEW = np.iinfo(np.int64).min
#: Bisection steps towards the time since which a user has enough views.
_HALVINGS = 10


@compiled
def recent(items: Ints, viewed_us: Longs, row: Ints, row_us: Longs) -> None:
    """Put the items viewed last into `row`: latest first, then by number; -1 for none.

    `items` ascend, each with its last view or `NO_VIEW`; `row_us` is a buffer as long as `row`.
    """
    since_us, n = _since(viewed_us, len(row)), 0
    for at in range(len(items)):
        us = viewed_us[at]
        if us < since_us or us == NO_VIEW or (n == len(row) and us <= row_us[n - 1]):
            continue
        n = min(n + 1, len(row))
        place = n - 1
        while place > 0 and row_us[place - 1] < us:
            row[place], row_us[place] = row[place - 1], row_us[place - 1]
            place -= 1
        row[place], row_us[place] = items[at], us
    row[n:] = -1


@compiled
def _since(viewed_us: Longs, n: int) -> int:
    """Return a time since which at least `n` items were viewed, if there are as many, and few more.

    Only those need sorting.
    """
    low_us, high_us, n_viewed = np.iinfo(np.int64).max, NO_VIEW, 0
    for us in viewed_us:
        n_viewed += us != NO_VIEW
        low_us = min(low_us, us if us != NO_VIEW else low_us)
        high_us = max(high_us, us)
    if n_viewed <= n:
        return low_us
    for _ in range(_HALVINGS):
        middle_us = low_us + (high_us - low_us) // 2
        n_since = 0
        for us in viewed_us:
            n_since += us >= middle_us
        if n_since < n:
            high_us = middle_us
        else:
            low_us, n_viewed = middle_us, n_since
        if n_viewed <= n + 4:
            break
    return low_us


@compiled
def favourites(items: Ints, category: Ints, taste: Longs, best: Ints, points: Longs) -> None:
    """Put the categories with the most points, above 0, into `best`; ties by number."""
    points[:] = 0
    for item in items:
        new = category[item]
        worth, taste[new] = taste[new], 0
        place = len(best)
        while place > 0 and (
            worth > points[place - 1]
            or (worth == points[place - 1] and worth > 0 and new < best[place - 1])
        ):
            place -= 1
            if place + 1 < len(best):
                best[place + 1], points[place + 1] = best[place], points[place]
        if place < len(best):
            best[place], points[place] = new, worth
