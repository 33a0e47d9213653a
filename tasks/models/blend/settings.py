"""Settings of the blend."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import NonNegativeFloat, PositiveFloat

from tasks.models.als.settings import TrainSettings
from tasks.models.history import BUCKETS, bucket_of
from tasks.models.ials.settings import IalsSettings
from tasks.models.slim.settings import SlimSettings

#: Buckets of users who have a history.
Bucket = Literal["1", "2", "3-5", "6-10", "11+"]


class Weights(NamedTuple):
    """Weights of a blend's parts, each part on the scale of its users' best scores."""

    als: NonNegativeFloat
    graph: NonNegativeFloat
    popular: NonNegativeFloat


@dataclass(frozen=True)
class BlendSettings:
    """Weights of the blend's parts; the night's own backtest sets them unless `choose.hold` is set.

    - `als`, `graph`, `popular`: weights of ALS's factors, of SLIM's item-item links and of recent
      popularity.
    - `factors`: "ials" or "als": the model that `als` weighs, with its own section of settings.
    - `half_life_days`: age at which an event counts half to recent popularity.
    - `by_history`: weights (als, graph, popular) of the users with so many different items in their
      history, by bucket: 1, 2, 3-5, 6-10, 11+.
    """

    als: NonNegativeFloat = 1.0
    graph: NonNegativeFloat = 1.0
    popular: NonNegativeFloat = 0.25
    factors: Literal["ials", "als"] = "ials"
    half_life_days: PositiveFloat = 7.0
    by_history: Mapping[Bucket, Weights] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a blend of nothing."""
        for weights in (self.weights, *self.by_history.values()):
            if not sum(weights):
                raise ValueError("blend: each user needs a weight over 0 of als, graph or popular")

    @property
    def weights(self) -> Weights:
        """Weights of users whose bucket has none of its own."""
        return Weights(self.als, self.graph, self.popular)

    def of_users(self, n_items: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        """Return the weights (users x 3) of users with so many different items."""
        named = {str(name): each for name, each in self.by_history.items()}
        table = np.array([named.get(name, self.weights) for name in BUCKETS], np.float64)
        return table[bucket_of(n_items)]


@dataclass(frozen=True)
class BlendParts:
    """Settings of the blend and of its parts; a model saved before SLIM has none of `slim`."""

    train: TrainSettings
    ials: IalsSettings
    blend: BlendSettings
    slim: SlimSettings = field(default_factory=SlimSettings)
