"""The definition of a diverse list, compiled: a walk under a cap of each category."""

import numpy as np

from tasks.io.jit import Positions, compiled


@compiled
def walk(
    order: Positions,
    categories: Positions,
    n_categories: int,
    page_size: int,
    max_per_category: int,
    uncapped: int,
    out: Positions,
) -> int:
    """Walk items in `order`, skip those whose category is full in the page, stop at len(out).

    The category numbered `uncapped` is never full (-1: there is no such category). Returns how many
    were taken into `out`. This is the definition of a diverse list
    (docs/decisions/0007-exact-lists.md).
    """
    page_of = np.full(n_categories, -1, np.int64)
    taken = np.zeros(n_categories, np.int64)
    n = 0
    for at in range(len(order)):
        if n == len(out):
            break
        category, page = categories[order[at]], n // page_size
        if page_of[category] != page:
            page_of[category], taken[category] = page, 0
        if taken[category] < max_per_category or category == uncapped:
            taken[category] += 1
            out[n] = order[at]
            n += 1
    return n
