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

    By falling k, so that the sum is the same in whatever order a list is.
    """
    counts, n_of = np.zeros(n_categories, np.int64), np.zeros(len(terms), np.int64)
    for r in range(len(out)):
        most = 0
        for i in range(offsets[r], offsets[r + 1]):
            category = categories[items[i]]
            counts[category] += 1
            # One category more that holds so many, one less that holds one fewer.
            n_of[counts[category]] += 1
            n_of[counts[category] - 1] -= 1
            most = max(most, counts[category])
        out[r] = 0.0
        for k in range(most, 0, -1):
            out[r] += n_of[k] * terms[k]
            n_of[k] = 0
        n_of[0] = 0
        for i in range(offsets[r], offsets[r + 1]):
            counts[categories[items[i]]] = 0


@compiled
def diversities(items: Ints, offsets: Ints, units: Double, known: Flags, out: Double) -> None:
    """Write 1 - the mean cosine of each list's pairs of known items; NaN for fewer than two.

    `units` are vectors of length 1, an item a row; with u those of m items, the squared length of
    their sum is m + 2 * (the sum of the pairs' cosines).
    """
    added = np.empty(units.shape[1])
    for r in range(len(out)):
        added[:] = 0.0
        m = 0
        for i in range(offsets[r], offsets[r + 1]):
            if known[items[i]]:
                m += 1
                unit = units[items[i]]
                for f in range(len(added)):
                    added[f] += unit[f]
        out[r] = np.nan
        if m >= 2:
            square = 0.0
            for f in range(len(added)):
                square += added[f] * added[f]
            out[r] = 1 - (square - m) / (m * (m - 1))


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
