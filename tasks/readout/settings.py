"""Settings of a readout."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, NonNegativeFloat

Share = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True)
class ReadoutSettings:
    """Past activity, event types and error rates of a readout.

    - `before_days`: days before a user's first exposure whose activity CUPED knows.
    - `click_types`: types of events that are clicks.
    - `revenue_quantile`: quantile of all buyers, blind to the variant, at which revenue is cut.
    - `alpha`: share of experiments without an effect in which a difference is claimed.
    - `power`: share of experiments with the smallest effect of interest in which it is found.
    """

    before_days: NonNegativeFloat = 14.0
    click_types: tuple[str, ...] = ("click",)
    revenue_quantile: Annotated[float, Field(gt=0.5, le=1)] = 0.999
    alpha: Share = 0.05
    power: Share = 0.8
