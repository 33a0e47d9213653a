"""Models by name; the first is the default, which readers are served unless they name another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.artifacts.records import TrainedModel
from tasks.models.als.model import Als, train_als
from tasks.models.als.warm_start import starting_point
from tasks.models.base import Model, Start


@dataclass(frozen=True)
class Member:
    """A model: its class, its section of the settings, the step that trains it, and from where."""

    kind: type[Model]
    section: str
    train: Callable[..., TrainedModel]
    starting_point: Callable[..., Start | None]


MODELS: Mapping[str, Member] = {"als": Member(Als, "train", train_als, starting_point)}


def load(trained: TrainedModel) -> Model:
    """Load a trained model by its name."""
    return MODELS[trained.name].kind.load(trained.settings.parent)


def load_items(name: str, folder: Path) -> Model:
    """Load a model without its users, for others to be folded in."""
    return MODELS[name].kind.load(folder, with_users=False)
