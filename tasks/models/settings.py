"""Settings of the models by name, without the models themselves, which take a second to import."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.models.blend.settings import BlendParts
from tasks.models.popular.settings import PopularSettings

#: A model's settings among all (`tasks.settings.Settings`), by its name.
MODEL_SETTINGS: Mapping[str, Callable[[Any], Any]] = {
    "blend": lambda given: BlendParts(given.train, given.ials, given.blend, given.slim),
    "als": lambda given: given.train,
    "ials": lambda given: given.ials,
    "slim": lambda given: given.slim,
    "ease": lambda given: given.ease,
    "graph": lambda given: given.graph,
    "popular": lambda _: PopularSettings(),
}


@dataclass(frozen=True)
class ModelsSettings:
    """Models that a night trains and publishes.

    - `names`: blend, als, ials, slim, ease, graph or popular; the first is the default, served to
      readers who name none; any other is left out of a night where it fails.
    """

    names: tuple[str, ...] = ("blend",)

    def __post_init__(self) -> None:
        """Refuse models that do not exist, and none at all."""
        unknown = [name for name in self.names if name not in MODEL_SETTINGS]
        if unknown or not self.names or len(set(self.names)) < len(self.names):
            raise ValueError(
                f"models.names is {list(self.names)}: name one or more of "
                f"{', '.join(MODEL_SETTINGS)}, each once"
            )
