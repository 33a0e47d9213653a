"""Intra-list diversity of lists; compiled."""

import numpy as np
import numpy.typing as npt

from tasks.io.jit import Double, Flags, compiled

Ints = npt.NDArray[np.integer]


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
