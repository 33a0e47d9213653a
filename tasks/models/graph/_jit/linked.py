"""Compiled: the linked parts of listed items' scores, and the profile items that add most to them.

For a user of h profile items it takes h x neighbours steps, as the lists themselves do; in numpy,
user by user, reasons would take longer than the rest of the night.
"""

import numpy as np

from tasks.io.jit import Double, Positions, Single, compiled


@compiled
def linked_block(
    spans: Positions,
    profile_items: Positions,
    weights: Single,
    link_spans: Positions,
    link_items: Positions,
    links: Single,
    listed: Positions,
    lengths: Positions,
    total: Double,
    because: Positions,
) -> None:
    """Fill `total` (users x n) and `because`: the item of the largest part, -1 where none is > 0.

    `spans` are the bounds of the users' profiles, `link_spans` those of the items' links; of equal
    parts the first in the profile has it.
    """
    n_items = len(link_spans) - 1
    added, largest = np.zeros(n_items), np.zeros(n_items)
    owner = np.full(n_items, -1, np.int32)
    for u in range(len(lengths)):
        for at in range(spans[u], spans[u + 1]):
            item = profile_items[at]
            for link in range(link_spans[item], link_spans[item + 1]):
                other, part = link_items[link], np.float64(weights[at]) * np.float64(links[link])
                added[other] += part
                if part > largest[other]:
                    largest[other], owner[other] = part, item
        for place in range(lengths[u]):
            total[u, place] = added[listed[u, place]]
            because[u, place] = owner[listed[u, place]]
        for at in range(spans[u], spans[u + 1]):
            item = profile_items[at]
            for link in range(link_spans[item], link_spans[item + 1]):
                other = link_items[link]
                added[other], largest[other], owner[other] = 0.0, 0.0, -1
