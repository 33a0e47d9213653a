"""Settings of iALS."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt


@dataclass(frozen=True)
class IalsSettings:
    """Settings of iALS, by the symbols of Rendle et al. (RecSys 2022).

    - `factors`: length of a factor vector, d.
    - `iterations`: of a night that trains from scratch.
    - `warm_iterations`: of a night that starts from the last night's factors; 0: none does.
    - `cold_every`: one in so many nights trains from scratch.
    - `cold_below`: retrain from scratch if the last night's NDCG fell below this fraction of the
      night before (the gate `ndcg_ratio`, which needs `evaluate.backtest_days`).
    - `unobserved_weight`: weight of every pair of user and item towards 0, alpha_0, where an
      observed pair of mean strength weighs 1.
    - `regularization`: weight of the factors' squared norms in the loss, lambda.
    - `frequency_exponent`: power of a row's weight that its regularization grows with, nu; 0: all
      rows are regularized alike.
    - `alpha`: weight a unit of an observed pair's strength over the mean of all, against a constant
      1: (1 + alpha * |r| / mean) / (1 + alpha); 0: all observed pairs weigh 1.
    - `seed`: of the first factors.
    """

    SHARED: ClassVar[tuple[str, ...]] = (
        "factors",
        "unobserved_weight",
        "regularization",
        "frequency_exponent",
        "alpha",
    )

    factors: PositiveInt = 64
    iterations: PositiveInt = 4
    warm_iterations: NonNegativeInt = 3
    cold_every: PositiveInt = 7
    cold_below: NonNegativeFloat = 0.95
    unobserved_weight: PositiveFloat = 1.0
    regularization: PositiveFloat = 0.002
    frequency_exponent: NonNegativeFloat = 1.0
    alpha: NonNegativeFloat = 1.0
    seed: int = 20260301
