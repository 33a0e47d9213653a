"""Planning: users a variant for a lift to be found, and days until they have come.

For a proportion the textbook's formula of the two-sample z test, whose variance is pooled under no
difference (Fleiss, Levin and Paik, 2003): 31,234 users for 5 % and a lift of 10 %. statsmodels'
NormalIndPower works on arcsine-transformed rates and says 31,217; the verdict is by differences of
rates, so the formula for these is printed.
"""

from dataclasses import dataclass
from math import ceil, sqrt

from scipy.stats import norm


@dataclass(frozen=True)
class Goal:
    """Relative lift to be found, with this power and two-sided alpha.

    `n_variants` counts the control; alpha is divided among the comparisons with it.
    """

    lift: float
    power: float = 0.8
    alpha: float = 0.05
    n_variants: int = 2

    def __post_init__(self) -> None:
        """Raise `ValueError` for a goal that no number of users reaches."""
        if self.lift == 0 or self.lift <= -1:
            raise ValueError(f"the lift is {self.lift:g}: give one over -1 that is not 0, as 0.1")
        if not 0 < self.alpha < 1 or not self.alpha < self.power < 1:
            raise ValueError(
                f"alpha {self.alpha:g}, power {self.power:g}: both must lie between 0 and 1, and "
                "power above alpha"
            )
        if self.n_variants < 2:
            raise ValueError(f"{self.n_variants} variant: a comparison needs two, control included")

    @property
    def quantiles(self) -> tuple[float, float]:
        """Normal quantiles of alpha (two-sided, divided among the comparisons) and of power."""
        each = self.alpha / (self.n_variants - 1)
        return float(norm.isf(each / 2)), float(norm.ppf(self.power))


def users_for_proportion(baseline: float, goal: Goal) -> int:
    """Return users a variant for a rate.

    >>> users_for_proportion(0.05, Goal(0.10))
    31234
    """
    treated = baseline * (1 + goal.lift)
    if not (0 < baseline < 1 and 0 < treated < 1):
        raise ValueError(
            f"a baseline of {baseline:g} and a lift of {goal.lift:g} give a rate of {treated:g}: "
            "both must lie between 0 and 1"
        )
    of_alpha, of_power = goal.quantiles
    middle = (baseline + treated) / 2
    apart = baseline * (1 - baseline) + treated * (1 - treated)
    pooled = sqrt(2 * middle * (1 - middle))
    return ceil(((of_alpha * pooled + of_power * sqrt(apart)) / (treated - baseline)) ** 2)


def users_for_mean(mean: float, variance: float, goal: Goal) -> int:
    """Return users a variant for a mean, or for a ratio with its delta-method variance a user."""
    if mean <= 0 or variance <= 0:
        raise ValueError(f"a mean of {mean:g} with variance {variance:g}: nothing to lift")
    difference = mean * goal.lift
    return ceil(2 * variance * (sum(goal.quantiles) / difference) ** 2)


def days_for(users: int, n_variants: int, daily_users: float) -> int:
    """Return whole days until so many users a variant have come, split evenly."""
    return ceil(users * n_variants / daily_users)
