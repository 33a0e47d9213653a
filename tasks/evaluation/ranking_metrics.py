"""Ranking metrics: pure functions over a row of hits (bool, by place) a user.

`hits` (users x places, bool) says which places of a list hold a relevant item, best place first,
False where a list has ended; `n_relevant` (users, whole numbers of 1 at least) how many items are
relevant to each, in the list or not. Relevance is binary. Only the first k places count. Each
function returns one figure a user, 0 to 1, more is better.
"""

import numpy as np
import numpy.typing as npt

Hits = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def ndcg(hits: Hits, n_relevant: Ints, k: int) -> Floats:
    """Return the normalised discounted cumulative gain (Jarvelin and Kekalainen, 2002).

    DCG = sum over the hits of 1 / log2(place + 1), divided by that of the best possible list, which
    opens with min(n_relevant, k) hits. 1: no list of k places is better; 0: no hit.

    >>> ndcg(np.array([[True, False], [False, True]]), np.array([3, 1]), k=2).round(3)
    array([0.613, 0.631])
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gains = np.where(_first(hits, k), discounts, 0.0)
    # Both sums run from the first place to the last: equal lists have equal sums, to the last bit.
    best = discounts.cumsum()[np.minimum(n_relevant, k) - 1]
    return np.asarray(gains.cumsum(axis=1)[:, -1] / best)


def recall(hits: Hits, n_relevant: Ints, k: int) -> Floats:
    """Return the share of a user's relevant items that the first k places hold.

    Below 1 even for the best list where more than k items are relevant.

    >>> recall(np.array([[True, False, True]]), np.array([4]), k=3)
    array([0.5])
    """
    return np.asarray(_first(hits, k).sum(axis=1) / n_relevant)


def hit_rate(hits: Hits, k: int) -> Floats:
    """Return 1 where any of the first k places is a hit, else 0.

    >>> hit_rate(np.array([[False, True], [False, False]]), k=2)
    array([1., 0.])
    """
    return np.asarray(_first(hits, k).any(axis=1), np.float64)


def reciprocal_rank(hits: Hits, k: int) -> Floats:
    """Return 1 / place of the first hit (Voorhees, TREC-8, 1999), 0 where there is none.

    >>> reciprocal_rank(np.array([[False, True, True], [False, False, False]]), k=3)
    array([0.5, 0. ])
    """
    first = _first(hits, k)
    return np.asarray(first.any(axis=1) / (first.argmax(axis=1) + 1))


def average_precision(hits: Hits, n_relevant: Ints, k: int) -> Floats:
    """Return the precision at each hit's place, added up and divided by `n_relevant`.

    Its mean over users is MAP. As trec_eval has it (`map_cut`): below 1 even for the best list
    where more than k items are relevant.

    >>> average_precision(np.array([[True, False, True]]), np.array([2]), k=3).round(3)
    array([0.833])
    """
    first = _first(hits, k)
    precision = first.cumsum(axis=1) / np.arange(1, k + 1)
    return np.asarray(np.where(first, precision, 0.0).sum(axis=1) / n_relevant)


def at_depth(hits: Hits, n_relevant: Ints, k: int) -> dict[str, Floats]:
    """Return every figure at depth k, by name."""
    return {
        "ndcg": ndcg(hits, n_relevant, k),
        "recall": recall(hits, n_relevant, k),
        "hit_rate": hit_rate(hits, k),
        "reciprocal_rank": reciprocal_rank(hits, k),
        "average_precision": average_precision(hits, n_relevant, k),
    }


def _first(hits: Hits, k: int) -> Hits:
    """Return the first k places, padded with misses."""
    cut = hits[:, :k]
    return np.pad(cut, ((0, 0), (0, k - cut.shape[1])))
