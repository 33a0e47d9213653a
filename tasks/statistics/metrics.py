"""A metric as the variables of a user that it is computed from."""

from dataclasses import dataclass
from typing import Literal

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
    def variables(self) -> tuple[str, ...]:
        """Variables that the metric is computed from."""
        found = (self.value, self.per, self.before, self.per_before)
        return tuple(name for name in found if name)
