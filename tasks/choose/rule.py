"""Rules of the choice: the simplest within one standard error of the best.

All candidates are judged by the same users, so a difference's error is that of the users' paired
differences (Breiman and others, 1984, section 3.4.3, with pairs).
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Figures = npt.NDArray[np.float64]
C = TypeVar("C")

#: Standard errors by which a bucket's own weights must be ahead of the common ones.
_AHEAD = 2.0


def behind(figures: Figures, best: Figures) -> float:
    """Return by how many standard errors of the paired difference one lies behind another.

    0 where they are equal; infinity where each user differs by the same.

    >>> round(behind(np.array([0.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0])), 2)
    1.22
    """
    difference = best - figures
    mean = float(difference.mean())
    if not mean:
        return 0.0
    error = float(difference.std() / np.sqrt(len(difference)))
    return mean / error if error else float(np.copysign(np.inf, mean))


def simplest_of_best(judged: Mapping[C, Figures], order: Sequence[C], last: C | None) -> C:
    """Return `last` if it is within one standard error of the best, or else the first that is.

    `judged` are each candidate's figures by user, `order` has the simplest first.
    """
    best = max(order, key=lambda each: float(judged[each].mean()))
    near = [each for each in order if behind(judged[each], judged[best]) <= 1]
    return last if last is not None and last in near else near[0]


def own_choice(judged: Mapping[C, Figures], order: Sequence[C], common: C, last: C | None) -> C:
    """Return the choice of a bucket of users: the common one unless another is clearly ahead."""
    own = simplest_of_best(judged, order, last)
    return own if behind(judged[common], judged[own]) > _AHEAD else common
