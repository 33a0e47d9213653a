"""Settings of training."""

from dataclasses import dataclass

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt


@dataclass(frozen=True)
class TrainSettings:
    """ALS settings.

    - `alpha`: confidence a unit of interaction strength: c = 1 + alpha * |r|.
    - `regularization`: the weight of the factors' squared norms in the loss.
    - `iterations`: of a night that begins anew; `warm_iterations`: of one that starts from the
      factors of the night before (0: none does).
    - `cold_every`: of so many nights one begins anew.
    - `cold_below`: and so does the night after one whose lists foresaw less than this share of what
      those of the night before did (the gate `ndcg_ratio`; see `EvaluateSettings`).
    """

    factors: PositiveInt = 64
    iterations: PositiveInt = 15
    warm_iterations: NonNegativeInt = 3
    cold_every: PositiveInt = 7
    cold_below: NonNegativeFloat = 0.95
    regularization: PositiveFloat = 0.05
    alpha: NonNegativeFloat = 2.0
    seed: int = 20260301
