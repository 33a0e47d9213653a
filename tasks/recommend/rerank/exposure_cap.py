"""Exposure cap: the most lists that one item may enter.

Of N lists an item may enter K = max(1, floor(share * N)). In rounds: every item that stands in
more than K lists stays in the K whose users score it highest (ties by user id), and counts as seen
for the others who had it, for good; their lists are made again. Each round takes more away from
somebody, so the rounds end; a list ends short only where nothing is left for its user.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import floor

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.recommend.exact_search import Block

Rows = npt.NDArray[np.int64]
#: Makes the lists of some users again: positions (r), and what they must not be shown (r x items).
Recompute = Callable[[Rows, sp.csr_matrix], Block]


def most_lists(share: float, n_lists: int) -> int:
    """Return K, how many of `n_lists` an item may enter, at least 1.

    The share is taken as it is written: 0.29 of 100 lists are 29, though the nearest float64 of
    the product is a little less.

    >>> most_lists(0.29, 100), most_lists(0.001, 100), most_lists(1.0, 7)
    (29, 1, 7)
    """
    return max(1, floor(Fraction(str(share)) * n_lists))


def count_lists(seen: sp.csr_matrix, available: npt.NDArray[np.bool_]) -> int:
    """Count the users (rows of `seen`) for whom an available item is left: N, without a cap."""
    gone = (seen != 0).astype(np.int64) @ available.astype(np.int64)
    return int(np.count_nonzero(gone < np.count_nonzero(available)))


def apply_cap(
    lists: Block, most: int, seen: sp.csr_matrix, recompute: Recompute
) -> tuple[Block, sp.csr_matrix]:
    """Bring every item down to at most `most` lists.

    `lists` are those of all users (rows of `seen`). Returns them anew, and `seen` with all that
    the cap took from a user.
    """
    items, scores, lengths = lists.items.copy(), lists.scores.copy(), lists.lengths.copy()
    while True:
        users, taken = _surplus(items, scores, most)
        if not len(users):
            return replace(lists, items=items, scores=scores, lengths=lengths), seen
        ones = np.ones(len(users), np.float32)
        seen = sp.csr_matrix(seen + sp.csr_matrix((ones, (users, taken)), shape=seen.shape))
        again = np.unique(users)
        fresh = recompute(again, seen[again])
        items[again], scores[again], lengths[again] = fresh.items, fresh.scores, fresh.lengths


def _surplus(
    items: npt.NDArray[np.int32], scores: npt.NDArray[np.float64], most: int
) -> tuple[Rows, npt.NDArray[np.int32]]:
    """Return (user, item) for every place that an item has beyond its `most` best ones."""
    counts = np.bincount(items[items >= 0])
    over = np.append(counts > most, False)  # -1, an empty place, looks up the last
    users, places = np.nonzero(over[items])
    held = items[users, places]
    order = np.lexsort((users, -scores[users, places], held))
    held = held[order]
    rank = np.arange(len(held)) - np.searchsorted(held, held)
    beyond = rank >= most
    return users[order][beyond], held[beyond]
