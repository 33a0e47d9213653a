"""The compiled inner loops: a walk, a score, a reason; plain arrays in, plain arrays out."""

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


def compiled(function: F) -> F:
    """Compile a function at its first call, without the GIL; its types stay as written.

    The cache on disk knows a function by its own file: after a change to a function that others
    call from other files, remove `tasks/__pycache__`.
    """
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
