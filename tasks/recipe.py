"""Settings that the lists of a run follow from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.features.settings import FeatureSettings
from tasks.recommend.settings import PopularitySettings, SimilarSettings, TopNSettings


@dataclass(frozen=True)
class Recipe:
    """Every setting that the lists of a run follow from.

    `models` are the settings of each model to train, by its name, the default first; `further`
    those of models beside it, which are left out where they fail. `popular_half_life_days` is that
    of the popularity they learn from. Without `similar` no similar items are computed.
    """

    features: FeatureSettings
    models: Mapping[str, Any]
    popular_half_life_days: float
    topn: TopNSettings
    popularity: PopularitySettings
    similar: SimilarSettings | None
    further: Mapping[str, Any] = field(default_factory=dict)
