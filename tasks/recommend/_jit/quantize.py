"""Factors rounded to whole numbers of 16 bits, whose products are quick, exact and nearly scores.

For x = c q + e and y = d r + f, q and r whole, by Cauchy and Schwarz
|x'y - c d q'r| = |e'y + c q'f| <= |e||y| + |c q||f|. With 64 factors that is less than a
thousandth of |x||y|.
"""

from math import isqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.io.jit import Double

Numbers = npt.NDArray[np.int16]


class Whole(NamedTuple):
    """Rows x as c q + e: `numbers` q (m x p), `units` c, `errors` |e| and `lengths` |c q| (m).

    p is even: a column of zeros fills it up.
    """

    numbers: Numbers
    units: Double
    errors: Double
    lengths: Double


def finest(largest: Double, n_factors: int) -> Double:
    """Return the smallest units for rows whose largest numbers are given.

    No sum of `n_factors` products leaves 32 bits, whatever the order it is added up in.
    """
    limit = min(2**15 - 1, isqrt((2**31 - 1) // n_factors))
    return np.where(largest > 0, largest / limit, 1.0)


def rounded(wide: Double, units: Double) -> Whole:
    """Round rows (m x k, float64) to whole numbers of their units."""
    numbers = np.rint(wide / units[:, None])
    near = numbers * units[:, None]
    return Whole(
        numbers=np.pad(numbers.astype(np.int16), ((0, 0), (0, wide.shape[1] % 2))),
        units=units,
        errors=np.linalg.norm(wide - near, axis=1),
        lengths=np.linalg.norm(near, axis=1),
    )
