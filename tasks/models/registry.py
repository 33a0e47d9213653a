"""Models by name; the first is the default, which readers are served unless they name another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tasks.artifacts.records import TrainedModel
from tasks.models.als.model import Als, train_als
from tasks.models.base import Model, Start
from tasks.models.warm_start import starting_point


@dataclass(frozen=True)
class Member:
    """A model: its class, its section of the settings, the step that trains it, and from where."""

    kind: type[Model]
    section: str
    train: Callable[..., TrainedModel]
    starting_point: Callable[..., Start | None]


MODELS: Mapping[str, Member] = {"als": Member(Als, "train", train_als, starting_point)}
