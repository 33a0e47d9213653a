"""How much a night's lists have in common with those before: pure functions over positions.

Lists are rows of an array (n x k, integers), best first, padded with negative numbers, which match
nothing.
"""

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def jaccard(ours: Rows, theirs: Rows) -> Floats:
    """Return |A and B| / |A or B| a row, 0 to 1; 1 where both are empty (Jaccard, 1912).

    >>> jaccard(np.array([[1, 2, 3]]), np.array([[3, 4, -1]]))
    array([0.25])
    """
    common = _matches(ours, theirs).sum((1, 2))
    either = (ours >= 0).sum(1) + (theirs >= 0).sum(1) - common
    return np.where(either > 0, common / np.maximum(either, 1), 1.0)


def rank_biased_overlap(ours: Rows, theirs: Rows, p: float = 0.9) -> Floats:
    """Return the rank-biased overlap a row, extrapolated from depth k, 0 to 1.

    RBO = X_k / k * p^k + (1 - p) / p * sum over d = 1..k of X_d / d * p^d, with X_d the number of
    items that the first d of both have in common (Webber, Moffat and Zobel, 2010, equation 32).
    With p = 0.9 the first ten places carry 86 % of the weight.

    >>> rank_biased_overlap(np.array([[1, 2]]), np.array([[1, 2]])).round(6)
    array([1.])
    """
    k = ours.shape[1]
    depth = np.arange(1, k + 1)
    within = _matches(ours, theirs).cumsum(1).cumsum(2)
    agreement = np.diagonal(within, axis1=1, axis2=2) / depth
    decay = p**depth
    return np.asarray(agreement[:, -1] * p**k + (1 - p) / p * (agreement * decay).sum(1))


def _matches(ours: Rows, theirs: Rows) -> Rows:
    """Return 1 where place i of ours holds the item of place j of theirs (n x k x k)."""
    same = (ours[:, :, None] == theirs[:, None, :]) & (ours[:, :, None] >= 0)
    return np.asarray(same, np.int64)
