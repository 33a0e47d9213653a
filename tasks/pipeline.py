"""One chain for night, backfill, backtest and benchmark: features -> model -> lists.

Each step is called through `Call`, so that a flow can run it as a Prefect task and a benchmark can
time it.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from tasks.artifacts.records import CleanLog, Features, Made, Model
from tasks.features.build import build_features
from tasks.features.settings import FeatureSettings
from tasks.models.als.settings import TrainSettings
from tasks.models.als.train import train_als
from tasks.models.als.warm_start import starting_point
from tasks.recommend.popularity import popular_lists
from tasks.recommend.settings import PopularitySettings, SimilarSettings, TopNSettings
from tasks.recommend.similar_items import similar_items
from tasks.recommend.topn import top_n
from tasks.runs.run_folder import Run

P = ParamSpec("P")
R = TypeVar("R")


class Call(Protocol):
    """A way to call a step."""

    def __call__(self, step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return `step(*args, **kwargs)`."""
        ...


def direct(step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a step as a plain function."""
    return step(*args, **kwargs)


@dataclass(frozen=True)
class Recipe:
    """Every setting that the lists of a run follow from; without `similar` no similar items."""

    features: FeatureSettings
    train: TrainSettings
    topn: TopNSettings
    popularity: PopularitySettings
    similar: SimilarSettings | None


@dataclass(frozen=True)
class Pipeline:
    """The chain of a run, from its clean log on; what the run has taken over is not done again."""

    run: Run
    log: CleanLog
    recipe: Recipe
    call: Call = direct

    def features(self) -> Features:
        """Build the features; `NothingToLearn` where no event says anything for any item."""
        return self.call(build_features, self.run, self.log, self.recipe.features)

    def model(
        self, features: Features, *, warm: bool = True, bad: Collection[int] = frozenset()
    ) -> Model:
        """Train, where `warm` from the factors of an earlier run that is not among the `bad`."""
        training = self.recipe.train
        start = starting_point(self.run, training, bad) if warm else None
        return self.call(train_als, self.run, features, training, start)

    def lists(self, features: Features, model: Model) -> Made:
        """Make the users' lists, the popular ones and the similar items."""
        call, run, recipe = self.call, self.run, self.recipe
        lists = call(top_n, run, features, model, recipe.topn, recipe.train)
        popular = call(
            popular_lists,
            run, self.log, features, recipe.popularity, recipe.topn, recipe.features,
        )  # fmt: skip
        similar = None
        if recipe.similar:
            similar = call(similar_items, run, features, model, recipe.similar, recipe.topn)
        return Made(self.log, features, model, lists, popular, similar)

    def whole(self) -> Made:
        """Take all steps, training from an earlier run where there is one."""
        features = self.features()
        return self.lists(features, self.model(features))
