"""Models by name."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tasks.models.als.model import Als
from tasks.models.base import Model, Start
from tasks.models.blend.model import Blend
from tasks.models.ease.model import Ease
from tasks.models.graph.model import Graph
from tasks.models.ials.model import Ials
from tasks.models.popular.model import Popular
from tasks.models.slim.model import Slim
from tasks.models.training import Train, train_step
from tasks.models.warm_start import starting_point
from tasks.runs.run_folder import Run


@dataclass(frozen=True)
class Member:
    """A model: its class and its step."""

    kind: type[Model]
    train: Train


_KINDS: Mapping[str, type[Model]] = {
    "blend": Blend,
    "als": Als,
    "ials": Ials,
    "slim": Slim,
    "ease": Ease,
    "graph": Graph,
    "popular": Popular,
}
MODELS = {name: Member(kind, train_step(name, kind)) for name, kind in _KINDS.items()}


def start_of(
    name: str, run: Run, settings: object, bad: Collection[int] = frozenset()
) -> Start | None:
    """Return the saved model that a model's training starts from; none to begin anew."""
    warm = MODELS[name].kind.warm_start(settings)
    return starting_point(run, name, warm[1], warm[0], bad) if warm else None


#: The step that trains ALS alone.
train_als = MODELS["als"].train
