"""Bootstrap intervals of means over users (Efron, 1979): percentile, paired, seeded."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

N_RESAMPLES = 1_000
#: Share of the resamples that an interval holds.
LEVEL = 0.95
#: Resamples whose counts stand in memory at a time.
_AT_A_TIME = 50


@dataclass(frozen=True)
class Figure:
    """A mean over `n_users` users with its 95 % interval; none where nobody counts."""

    mean: float | None
    low: float | None
    high: float | None
    n_users: int

    @property
    def error(self) -> float | None:
        """The standard error that the interval corresponds to: a 3.92th of its width."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 3.92


#: The figure of no users.
NOBODY = Figure(None, None, None, 0)


def intervals(
    values: Floats, weights: Floats, seed: int, n_resamples: int = N_RESAMPLES
) -> list[Figure]:
    """Return the weighted mean of each column over the users, with its interval.

    `values` and `weights` are (users x figures); a weight of 0 leaves a user out of a figure, and
    the value is then not read. All columns share the resamples, which depend on the seed and on the
    number of users alone, so that the interval of a difference is that of paired users.
    """
    weighted = np.where(weights > 0, values, 0.0) * weights
    n_users = len(values)
    means = _ratio(weighted.sum(axis=0), weights.sum(axis=0))
    rng = np.random.default_rng(seed)
    resampled = np.empty((n_resamples, values.shape[1]))
    for first in range(0, n_resamples if n_users else 0, _AT_A_TIME):
        size = min(_AT_A_TIME, n_resamples - first)
        drawn = rng.integers(n_users, size=(size, n_users))
        drawn += np.arange(size)[:, None] * n_users
        counts = np.bincount(drawn.ravel(), minlength=size * n_users).reshape(size, n_users)
        both = counts.astype(np.float64)
        resampled[first : first + size] = _ratio(both @ weighted, both @ weights)
    counted = np.count_nonzero(weights > 0, axis=0)
    return [
        _figure(mean, column, int(n))
        for mean, column, n in zip(means, resampled.T, counted, strict=True)
    ]


def _figure(mean: float, resampled: Floats, n_users: int) -> Figure:
    if not n_users:
        return NOBODY
    drawn = resampled[~np.isnan(resampled)]  # a small group may be missing from a resample
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Figure(float(mean), float(low), float(high), n_users)


def _ratio(part: Floats, whole: Floats) -> Floats:
    shares: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return shares
