"""Models by name."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.models.als.model import Als
from tasks.models.base import Model, Start
from tasks.models.blend.model import Blend
from tasks.models.blend.settings import BlendParts
from tasks.models.ease.model import Ease
from tasks.models.graph.model import Graph
from tasks.models.ials.model import Ials
from tasks.models.popular.model import Popular, PopularSettings
from tasks.models.training import Train, train_step
from tasks.models.warm_start import starting_point
from tasks.runs.run_folder import Run


@dataclass(frozen=True)
class Member:
    """A model: its class, its settings among all (`tasks.settings.Settings`), and its step."""

    kind: type[Model]
    settings: Callable[[Any], Any]
    train: Train


MODELS: Mapping[str, Member] = {
    "blend": Member(
        Blend,
        lambda given: BlendParts(given.train, given.ials, given.graph, given.ease, given.blend),
        train_step("blend", Blend),
    ),
    "als": Member(Als, lambda given: given.train, train_step("als", Als)),
    "ials": Member(Ials, lambda given: given.ials, train_step("ials", Ials)),
    "ease": Member(Ease, lambda given: given.ease, train_step("ease", Ease)),
    "graph": Member(Graph, lambda given: given.graph, train_step("graph", Graph)),
    "popular": Member(Popular, lambda _: PopularSettings(), train_step("popular", Popular)),
}


@dataclass(frozen=True)
class ModelsSettings:
    """Models that a night trains and publishes.

    - `names`: blend, als, ials, ease, graph or popular; the first is the default, served to readers
      who name none; any other is left out of a night where it fails.
    """

    names: tuple[str, ...] = ("blend",)

    def __post_init__(self) -> None:
        """Refuse models that do not exist, and none at all."""
        unknown = [name for name in self.names if name not in MODELS]
        if unknown or not self.names or len(set(self.names)) < len(self.names):
            raise ValueError(
                f"models.names is {list(self.names)}: name one or more of {', '.join(MODELS)}, "
                "each once"
            )


def start_of(
    name: str, run: Run, settings: object, bad: Collection[int] = frozenset()
) -> Start | None:
    """Return the saved model that a model's training starts from; none to begin anew."""
    warm = MODELS[name].kind.warm_start(settings)
    return starting_point(run, name, warm[1], warm[0], bad) if warm else None


#: The step that trains ALS alone.
train_als = MODELS["als"].train
