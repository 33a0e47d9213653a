"""Settings of the backtest and of the gates: their names and limits."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt

Share = Annotated[float, Field(ge=0, le=1)]


GateName = Literal[
    "filled_share",
    "full_share",
    "own_share",
    "coverage",
    "unweighed_share",
    "lists_ratio",
    "full_share_drop",
    "coverage_ratio",
    "diversity_ratio",
    "ndcg_ratio",
    "choice_ndcg_ratio",
    "over_popularity",
    "jaccard",
    "rank_biased_overlap",
    "top_item_share",
    "quarantined_share",
    "events_ratio",
    "event_mix_shift",
    "feature_drift",
    "list_drift",
    "ndcg_trend",
]


@dataclass(frozen=True)
class GateSettings:
    """The limit of each gate, and the gates that only warn.

    Ratios and drops compare with the live generation; the first night has none. Drift and trend
    compare with the nights before (docs/decisions/0043-drift.md). The others are absolute and
    stand from the first night on (docs/decisions/0033-absolute-gates.md).

    - `warn`: gates that let a generation go live and warn; the others block it.
    """

    filled_share_min: Share = 0.3
    full_share_min: Share = 0.5
    own_share_min: Share = 0.1
    coverage_min: Share = 0.02
    unweighed_share_max: Share = 0.01
    lists_ratio_min: NonNegativeFloat = 0.7
    full_share_drop_max: Share = 0.2
    coverage_ratio_min: NonNegativeFloat = 0.5
    diversity_ratio_min: NonNegativeFloat = 0.7
    ndcg_ratio_min: NonNegativeFloat = 0.8
    choice_ndcg_ratio_min: NonNegativeFloat = 0.8
    over_popularity_min: NonNegativeFloat = 1.0
    jaccard_min: Share = 0.05
    rank_biased_overlap_min: Share = 0.05
    top_item_share_max: Share = 0.95
    quarantined_share_max: Share = 0.005
    events_ratio_min: NonNegativeFloat = 0.7
    events_ratio_max: NonNegativeFloat = 1.6
    event_mix_shift_max: Share = 0.3
    feature_drift_max: NonNegativeFloat = 3.0
    list_drift_max: NonNegativeFloat = 1.5
    ndcg_trend_min: NonNegativeFloat = 0.95
    warn: tuple[GateName, ...] = (
        "feature_drift",
        "full_share",
        "list_drift",
        "ndcg_trend",
        "over_popularity",
        "quarantined_share",
        "rank_biased_overlap",
        "top_item_share",
    )


@dataclass(frozen=True)
class EvaluateSettings:
    """The backtest of each night, and its comparison with the nights before.

    - `backtest_days`: last days by which lists made without them are judged; 0: no backtest. It
      costs training and lists a second time.
    - `drift_nights`: last nights that passed their gates, with whose distributions and offline
      quality tonight's are compared; 0: no comparison.
    """

    backtest_days: NonNegativeInt = 0
    drift_nights: NonNegativeInt = 7
