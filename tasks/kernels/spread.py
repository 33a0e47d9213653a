"""How lists are spread over categories, and what of them should not be there; compiled counts."""

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import Double, Flags, compiled

Ints = npt.NDArray[np.integer]


@compiled
def add_by_category(
    items: Ints,
    offsets: Ints,
    categories: Ints,
    n_categories: int,
    terms: Double,
    out: Double,
) -> None:
    """Add up `terms[k]` over the categories of each list, which holds each k times.

    In the order of the categories, so that the sum is the same in whatever order a list is.
    """
    counts, found = np.zeros(n_categories, np.int64), np.empty(n_categories, np.int64)
    for r in range(len(out)):
        n = 0
        for i in range(offsets[r], offsets[r + 1]):
            category = categories[items[i]]
            if counts[category] == 0:
                place = n
                while place > 0 and found[place - 1] > category:
                    found[place] = found[place - 1]
                    place -= 1
                found[place] = category
                n += 1
            counts[category] += 1
        out[r] = 0.0
        for category in found[:n]:
            out[r] += terms[counts[category]]
            counts[category] = 0


@compiled
def count_crowded(
    items: Ints,
    offsets: Ints,
    categories: Ints,
    n_categories: int,
    page_size: int,
    most: int,
    bound: Flags,
) -> int:
    """Count the places that categories have beyond `most` on pages of lists, of those bound."""
    counts, binding = np.zeros(n_categories, np.int64), np.zeros(n_categories, np.int64)
    n_crowded = 0
    for r in range(len(offsets) - 1):
        for first in range(offsets[r], offsets[r + 1], page_size):
            page = items[first : min(first + page_size, offsets[r + 1])]
            for place in range(len(page)):
                category = categories[page[place]]
                counts[category] += 1
                binding[category] += bound[first + place]
            for item in page:
                category = categories[item]
                n_crowded += max(0, min(counts[category] - most, binding[category]))
                counts[category] = binding[category] = 0
    return n_crowded


@compiled
def count_seen(
    items: Ints, offsets: Ints, users: Ints, seen_from: Ints, seen: Ints, n_items: int
) -> int:
    """Count the places of lists that show what their user has seen, none for a user below 0.

    User u has seen `seen[seen_from[u]:seen_from[u + 1]]`, all below `n_items`, as are `items`.
    """
    seen_by = np.full(n_items, -1, np.int64)
    n_seen = 0
    for r in range(len(users)):
        if users[r] < 0:
            continue
        for item in seen[seen_from[users[r]] : seen_from[users[r] + 1]]:
            seen_by[item] = r
        for item in items[offsets[r] : offsets[r + 1]]:
            n_seen += seen_by[item] == r
    return n_seen
