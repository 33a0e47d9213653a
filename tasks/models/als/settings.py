"""Settings of training."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt


@dataclass(frozen=True)
class TrainSettings:
    """Settings of ALS.

    - `factors`: length of a factor vector.
    - `iterations`: of a night that trains from scratch.
    - `warm_iterations`: of a night that starts from the last night's factors; 0: none does.
    - `cold_every`: one in so many nights trains from scratch.
    - `cold_below`: retrain from scratch if the last night's NDCG fell below this fraction of the
      night before (the gate `ndcg_ratio`, which needs `evaluate.backtest_days`).
    - `regularization`: weight of the factors' squared norms in the loss.
    - `alpha`: confidence a unit of interaction strength: c = 1 + alpha * |r|.
    - `seed`: of the first factors.
    """

    SHARED: ClassVar[tuple[str, ...]] = ("factors", "regularization", "alpha")

    factors: PositiveInt = 64
    iterations: PositiveInt = 15
    warm_iterations: NonNegativeInt = 3
    cold_every: PositiveInt = 7
    cold_below: NonNegativeFloat = 0.95
    regularization: PositiveFloat = 0.05
    alpha: NonNegativeFloat = 2.0
    seed: int = 20260301
