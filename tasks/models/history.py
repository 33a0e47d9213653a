"""History buckets: users by the number of different items in their history."""

import numpy as np
import numpy.typing as npt

#: Least number of items of each bucket, and the buckets' names.
_LEAST = np.array([0, 1, 2, 3, 6, 11])
BUCKETS = ("0", "1", "2", "3-5", "6-10", "11+")


def bucket_of(n_items: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Return the position in `BUCKETS` for each number of different items.

    >>> [BUCKETS[at] for at in bucket_of(np.array([0, 1, 5, 6, 400]))]
    ['0', '1', '3-5', '6-10', '11+']
    """
    return np.searchsorted(_LEAST, n_items, side="right") - 1
