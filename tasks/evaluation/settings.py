"""Settings of the offline metric, and what a past night is made by."""

from dataclasses import dataclass

from pydantic import NonNegativeInt

from tasks.features.settings import FeatureSettings
from tasks.models.als.settings import TrainSettings
from tasks.recommend.settings import PopularitySettings, TopNSettings


@dataclass(frozen=True)
class EvaluateSettings:
    """`holdout_days`: days that the lists are judged by; 0: they are not.

    It costs training and lists a second time.
    """

    holdout_days: NonNegativeInt = 0


@dataclass(frozen=True)
class Recipe:
    """Every setting that the lists of a night follow from."""

    features: FeatureSettings
    train: TrainSettings
    topn: TopNSettings
    popularity: PopularitySettings
