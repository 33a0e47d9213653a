"""One chain for night, backfill, backtest and benchmark: features -> models -> lists.

Each step is called through `Call`, so that a flow can run it as a Prefect task and a benchmark can
time it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, Protocol, TypeVar

from tasks.artifacts.records import CleanLog, Features, Lists, Made, Popularity, TrainedModel
from tasks.features.build import build_features
from tasks.features.count_popularity import count_popularity
from tasks.models.registry import MODELS, start_of
from tasks.recipe import Recipe
from tasks.recommend.popularity import popular_lists
from tasks.recommend.similar_items import similar_items
from tasks.recommend.topn import LIST_STEPS, top_n
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
class Pipeline:
    """The chain of a run, from its clean log on; what the run has taken over is not done again."""

    run: Run
    log: CleanLog
    recipe: Recipe
    call: Call = direct

    def features(self) -> Features:
        """Build the features; `NothingToLearn` where no event says anything for any item."""
        return self.call(build_features, self.run, self.log, self.recipe.features)

    def popularity(self) -> Popularity:
        """Count the recent popularity of the catalogue's items."""
        recipe = self.recipe
        half_life_days = recipe.popular_half_life_days
        return self.call(count_popularity, self.run, self.log, half_life_days, recipe.features)

    def models(
        self,
        features: Features,
        popularity: Popularity,
        *,
        warm: bool = True,
        bad: Collection[int] = frozenset(),
    ) -> Mapping[str, TrainedModel]:
        """Train each model, where `warm` from an earlier run's that is not among the `bad`."""
        return {
            name: self._train(name, settings, features, popularity, warm=warm, bad=bad)
            for name, settings in self.recipe.models.items()
        }

    def lists(self, features: Features, models: Mapping[str, TrainedModel]) -> Made:
        """Make each model's lists for users, the popular lists and the default's similar items."""
        call, run, recipe = self.call, self.run, self.recipe
        default = next(iter(models))
        lists = {
            name: call(_list_step(name, default), run, features, model, recipe.topn)
            for name, model in models.items()
        }
        popular = call(
            popular_lists,
            run, self.log, features, recipe.popularity, recipe.topn, recipe.features,
        )  # fmt: skip
        made = Made(self.log, features, models, lists, popular)
        if recipe.similar is None:
            return made
        similar = call(similar_items, run, features, made.model, recipe.similar, recipe.topn)
        return replace(made, similar=similar)

    def further(
        self,
        made: Made,
        popularity: Popularity,
        *,
        warm: bool = True,
        bad: Collection[int] = frozenset(),
    ) -> Made:
        """Add the further models and their lists; one that fails is left out.

        Whatever it raises is its reason: nothing that it does touches what was `made`.
        """
        for name, settings in self.recipe.further.items():
            try:
                model = self._train(name, settings, made.features, popularity, warm=warm, bad=bad)
                step = _list_step(name, made.default)
                lists = self.call(step, self.run, made.features, model, self.recipe.topn)
            except Exception as error:  # the night goes on without the model
                made = made.without({name: f"{type(error).__name__}: {error}"})
            else:
                models, of_models = {**made.models, name: model}, {**made.lists, name: lists}
                made = replace(made, models=models, lists=of_models)
        return made

    def whole(self) -> Made:
        """Take all steps, training from an earlier run where there is one."""
        features, popularity = self.features(), self.popularity()
        return self.further(self.lists(features, self.models(features, popularity)), popularity)

    def _train(
        self,
        name: str,
        settings: Any,
        features: Features,
        popularity: Popularity,
        *,
        warm: bool,
        bad: Collection[int],
    ) -> TrainedModel:
        start = start_of(name, self.run, settings, bad) if warm else None
        return self.call(MODELS[name].train, self.run, features, settings, start, popularity)


def _list_step(name: str, default: str) -> Callable[..., Lists]:
    return top_n if name == default else LIST_STEPS[name]
