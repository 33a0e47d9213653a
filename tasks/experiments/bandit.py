"""A bandit's shares: more users to the variants that are more likely the best.

A variant's probability to be the best follows from Beta posteriors of its rate, by quadrature, so
that equal counts give equal shares without a seed. Rates are estimated by period and weighted by
the period's users: under moving shares pooled ones compare one variant's good days with another's
bad ones (docs/decisions/0048-phases-and-bandit.md).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.statistics.best import posteriors

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

#: Least share of each variant.
FLOOR = 0.05
#: Share that the control has beyond its own, always.
CONTROL_SHARE = 0.10
#: Exposed users, times the number of variants, below which the split stays even.
FEWEST_USERS = 100
#: First nights, whose split is even.
EVEN_NIGHTS = 2
#: Shares are whole percents, so that noise alone opens no phase.
_STEP = 0.01


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Exposed users and those of them who converted (periods x variants), the control first.

    A user counts in the period and variant of the first exposure, once its window has passed.
    """

    users: Counts
    converted: Counts

    @property
    def periods(self) -> "Outcomes":
        """The periods in which every variant was shown."""
        full = (self.users > 0).all(axis=1)
        return Outcomes(self.users[full], self.converted[full])


class Estimate(NamedTuple):
    """A difference of two rates, and its standard error."""

    difference: float
    standard_error: float


class Shares(NamedTuple):
    """Shares of the variants (adding up to 1), their probability to be the best, and the reason."""

    shares: Floats
    best: Floats
    why: str


def bandit_shares(outcomes: Outcomes, n_nights: int) -> Shares:
    """Return tonight's shares, after `n_nights` nights of the experiment.

    Each is at least `FLOOR`, the control's `CONTROL_SHARE` more; what is left goes by the
    probability to be the best.
    """
    n = outcomes.users.shape[1]
    best = probability_best(*by_period_rates(outcomes))
    even, n_users = np.full(n, 1 / n), int(outcomes.users.sum())
    if n_nights < EVEN_NIGHTS:
        return Shares(even, best, f"even split: night {n_nights + 1} of the first {EVEN_NIGHTS}")
    if n_users < FEWEST_USERS * n:
        return Shares(even, best, f"even split: {n_users:,} of {FEWEST_USERS * n:,} exposed users")
    floors = np.full(n, FLOOR)
    floors[0] += CONTROL_SHARE
    shares = floors + _whole_percents(best, 1 - floors.sum())
    return Shares(shares, best, f"by {n_users:,} exposed users")


def by_period_rates(outcomes: Outcomes) -> tuple[Floats, Floats]:
    """Return each variant's rate, and the number of users that would know it as well in one period.

    Rates of all variants have the same weights: the shares of the periods' users.
    """
    found = outcomes.periods
    if not len(found.users):
        return np.zeros(outcomes.users.shape[1]), np.zeros(outcomes.users.shape[1])
    weights = _period_weights(found)
    rates = (weights * found.converted / found.users).sum(axis=0)
    return rates, 1 / (weights**2 / found.users).sum(axis=0)


def probability_best(rates: Floats, users: Floats) -> Floats:
    """Return each variant's probability to have the highest rate, by Beta(1, 1) priors.

    >>> probability_best(np.array([0.1, 0.1]), np.array([500.0, 500.0])).round(6).tolist()
    [0.5, 0.5]
    """
    converted = np.minimum(rates * users, users)  # beyond it by what floats round
    found = posteriors(converted.tolist(), users.tolist())
    return np.array([each.p_best for each in found])


def by_period(outcomes: Outcomes, variant: int, control: int = 0) -> Estimate:
    """Estimate the difference of two variants' rates from the differences within the periods.

    Unbiased under a base rate and shares that move, as the weights do not depend on either.
    """
    found = outcomes.periods
    weights = _period_weights(found)
    rates = found.converted / found.users
    errors = weights**2 * rates * (1 - rates) / found.users
    difference = (weights[:, 0] * (rates[:, variant] - rates[:, control])).sum()
    variance = errors[:, [variant, control]].sum()
    return Estimate(float(difference), float(np.sqrt(variance)))


def pooled(outcomes: Outcomes, variant: int, control: int = 0) -> float:
    """Return the difference of two variants' rates over all periods together, which is biased."""
    rates = outcomes.converted.sum(axis=0) / outcomes.users.sum(axis=0)
    return float(rates[variant] - rates[control])


def _period_weights(found: Outcomes) -> Floats:
    """Return the share of all users that each period has (periods x 1)."""
    totals = found.users.sum(axis=1, keepdims=True)
    weights: Floats = totals / totals.sum()
    return weights


def _whole_percents(best: Floats, total: float) -> Floats:
    """Divide `total` by the probabilities into whole percents, by largest remainder."""
    n_steps = round(total / _STEP)
    quotas = best * n_steps
    counts = np.floor(quotas)
    left = n_steps - int(counts.sum())
    counts[np.argsort(counts - quotas, kind="stable")[:left]] += 1
    shares: Floats = counts * _STEP
    return shares
