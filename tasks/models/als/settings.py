"""Settings of ALS."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt


@dataclass(frozen=True)
class TrainSettings:
    """Settings of ALS; each default's measurement is in docs/decisions/0046-blend.md.

    - `factors`: length of a factor vector, at most; `items_per_factor` may make it shorter.
    - `items_per_factor`: a catalogue of fewer items than this times `factors` gets fewer factors
      (8 at least).
    - `iterations`: of a night that trains from scratch.
    - `warm_iterations`: of a night that starts from the last night's factors; 0: none does.
    - `cold_every`: one in so many nights trains from scratch.
    - `cold_below`: retrain from scratch if the last night's NDCG fell below this fraction of the
      night before (the gate `ndcg_ratio`, which needs a backtest).
    - `regularization`: weight of the factors' squared norms in the loss, as a share of the mean
      confidence of a user's row.
    - `alpha`: confidence of an interaction of mean strength: c = 1 + alpha * |r| / mean |r|.
    - `dislikes`: factor on negative strengths: 0 leaves them out of training (`features.seen` keeps
      the item off the list all the same), 1 takes them at their weight.
    - `seed`: of the first factors.
    """

    SHARED: ClassVar[tuple[str, ...]] = ("factors", "regularization", "alpha", "dislikes")

    factors: PositiveInt = 64
    items_per_factor: PositiveInt = 16
    iterations: PositiveInt = 15
    warm_iterations: NonNegativeInt = 2
    cold_every: PositiveInt = 7
    cold_below: NonNegativeFloat = 0.95
    regularization: PositiveFloat = 0.005
    alpha: NonNegativeFloat = 4.0
    dislikes: NonNegativeFloat = 0.0
    seed: int = 20260301
