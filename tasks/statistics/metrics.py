"""A metric as the variables of a user that it is computed from."""

from dataclasses import dataclass
from typing import Literal

from tasks.statistics.moments import Moments

Kind = Literal["proportion", "ratio", "mean"]


@dataclass(frozen=True)
class Measure:
    """Mean over users of `value`, or its ratio to the mean of `per`, with CUPED's covariates.

    `before` is `value` in the days before a user's first exposure, `per_before` that of `per`.
    """

    name: str
    kind: Kind
    value: str
    before: str
    per: str | None = None
    per_before: str | None = None

    @property
    def present(self) -> tuple[str, ...]:
        """Variables that the metric is computed from without CUPED."""
        return (self.value, self.per) if self.per else (self.value,)

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables that the metric is computed from, with those of CUPED."""
        past = (self.before, self.per_before) if self.per_before else (self.before,)
        return self.present + past

    def mean(self, users: Moments) -> float:
        """Return the metric of these users; 0 where the ratio's denominator is 0."""
        value = users.mean(self.value)
        if self.per is None:
            return value
        per = users.mean(self.per)
        return value / per if per else 0.0

    def variance(self, users: Moments) -> float:
        """Return the variance a user, of a ratio by the delta method."""
        if self.per is None:
            return users.variance(self.value)
        per, ratio = users.mean(self.per), self.mean(users)
        if not per:
            return 0.0
        apart = users.variance(self.value) + ratio**2 * users.variance(self.per)
        return max(0.0, apart - 2 * ratio * users.covariance(self.value, self.per)) / per**2
