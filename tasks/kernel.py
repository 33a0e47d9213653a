"""The compiled inner loops of the exact lists; plain arrays in, plain arrays out."""

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

Positions = npt.NDArray[np.int32] | npt.NDArray[np.int64]
Single = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
F = TypeVar("F", bound=Callable[..., object])

#: Candidates looked at before the first widening, as a multiple of the list's length.
_FIRST_LOOK = 4


def compiled(function: F) -> F:
    """Compile a function at its first call, without the GIL; its types stay as written."""
    return cast(F, njit(nogil=True, cache=True)(function))


@compiled
def walk(
    order: Positions,
    categories: Positions,
    n_categories: int,
    page_size: int,
    max_per_category: int,
    out: Positions,
) -> int:
    """Walk items in `order`, skip those whose category is full in the page, stop at len(out).

    Returns how many were taken into `out`. This is the definition of a diverse list
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
        if taken[category] < max_per_category:
            taken[category] += 1
            out[n] = order[at]
            n += 1
    return n


@compiled
def exact_score(user: Single, item: Single) -> float:
    """Return the dot product in float64, always added up in the same order."""
    total = 0.0
    for f in range(len(user)):
        total += np.float64(user[f]) * np.float64(item[f])
    return total


@compiled
def list_user(
    rough: Single,
    user: Single,
    items: Single,
    margin: float,
    categories: Positions,
    n_categories: int,
    page_size: int,
    max_per_category: int,
    out: Positions,
    scores: Double,
) -> int:
    """Find one user's exact list from rough scores (-inf: must not be shown), widening as needed.

    `margin` bounds |rough - exact|. Every item that is not a candidate has an exact score below
    `floor` + margin, so a list is proven once its last item scores above that.
    """
    n_items, look = len(rough), _FIRST_LOOK * len(out)
    while True:
        floor = -np.inf
        if look < n_items:
            floor = float(np.partition(rough, n_items - look)[n_items - look])
        candidates = np.flatnonzero((rough >= floor) & (rough > -np.inf))
        exact = np.empty(len(candidates))
        for at in range(len(candidates)):
            exact[at] = exact_score(user, items[candidates[at]])
        ranks = np.argsort(-exact, kind="mergesort")  # stable, so equal scores stay in id order
        order = candidates[ranks]
        n = walk(order, categories, n_categories, page_size, max_per_category, out)
        for at in range(n):
            scores[at] = exact_score(user, items[out[at]])
        if floor == -np.inf or (n == len(out) and scores[n - 1] > floor + margin):
            return n
        look *= 4


@compiled
def list_block(
    rough: Single,
    users: Single,
    items: Single,
    longest: float,
    available: Flags,
    seen_from: Positions,
    seen: Positions,
    categories: Positions,
    n_categories: int,
    page_size: int,
    max_per_category: int,
    out: Positions,
    scores: Double,
    lengths: Positions,
) -> None:
    """Find the lists of a block of users; `rough` (users x items, float32) is overwritten.

    Row r's seen items are `seen[seen_from[r]:seen_from[r + 1]]`; `longest` is the largest norm of
    an item.
    """
    n_factors = users.shape[1]
    for r in range(len(users)):
        row = rough[r]
        for item in range(len(row)):
            if not available[item]:
                row[item] = -np.inf
        for at in range(seen_from[r], seen_from[r + 1]):
            row[seen[at]] = -np.inf
        norm = np.sqrt(exact_score(users[r], users[r]))
        # Higham, Accuracy and Stability of Numerical Algorithms, 3.5: |error| <= k u / (1 - k u)
        # |x||y| for any order of summation; twice that, for the rounding of the bound itself, and
        # 1e-30 for products too small for float32.
        margin = 2 * n_factors * 2.0**-24 * norm * longest + 1e-30
        lengths[r] = list_user(
            row,
            users[r],
            items,
            margin,
            categories,
            n_categories,
            page_size,
            max_per_category,
            out[r],
            scores[r],
        )


@compiled
def because_block(
    gram: Double,
    items: Single,
    history_from: Positions,
    history: Positions,
    confidence: Double,
    listed: Positions,
    lengths: Positions,
    out: Positions,
) -> None:
    """Find for each listed item the item of the user's history that adds most to its score.

    Score of j = sum over liked i of c_i * y_j' W^-1 y_i, W = Y'Y + reg I + sum (|c| - 1) y y' over
    all of the history (Hu, Koren and Volinsky 2008, section 5). `gram` is Y'Y + reg I in float64.
    An item disliked (c < 0) shapes W and adds nothing: its preference is 0. -1 where nothing adds.
    """
    for r in range(len(lengths)):
        mine = history[history_from[r] : history_from[r + 1]]
        weight = confidence[history_from[r] : history_from[r + 1]]
        taken = items[mine].astype(np.float64)
        scaled = taken * (np.abs(weight) - 1).reshape(-1, 1)
        system = gram + np.dot(taken.T, scaled)
        wanted = items[listed[r, : lengths[r]]].astype(np.float64)
        shares = np.dot(taken, np.linalg.solve(system, np.ascontiguousarray(wanted.T)))
        for at in range(lengths[r]):
            best, most = -1, 0.0
            for h in range(len(mine)):
                if weight[h] > 0 and weight[h] * shares[h, at] > most:  # of equals the smallest id
                    best, most = mine[h], weight[h] * shares[h, at]
            out[r, at] = best
