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
    slot = np.full(len(link_spans) - 1, -1, np.int16)  # place in the list; -1 for other items
    largest = np.empty(listed.shape[1])
    for u in range(len(lengths)):
        for place in range(lengths[u]):
            slot[listed[u, place]] = place
            total[u, place], because[u, place], largest[place] = 0.0, -1, 0.0
        for at in range(spans[u], spans[u + 1]):
            item, weight = profile_items[at], np.float64(weights[at])
            for link in range(link_spans[item], link_spans[item + 1]):
                place = slot[link_items[link]]
                if place < 0:
                    continue
                part = weight * np.float64(links[link])
                total[u, place] += part
                if part > largest[place]:
                    largest[place], because[u, place] = part, item
        for place in range(lengths[u]):
            slot[listed[u, place]] = -1
