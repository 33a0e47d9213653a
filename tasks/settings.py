"""All settings in one object, read once, from the environment and `nightshelf.toml`.

The environment wins over the file. Names follow the fields: `NIGHTSHELF_TOPN__N=20`,
`NIGHTSHELF_FEATURES__HALF_LIFE_DAYS=30`, `NIGHTSHELF_FEATURES__SEEN='["purchase"]'`, or in
`nightshelf.toml`::

    [features]
    half_life_days = 30
"""

import hashlib
import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tasks.collect import CollectSettings
from tasks.compact import CompactSettings
from tasks.errors import SettingsError
from tasks.evaluate import EvaluateSettings
from tasks.events import EventSettings
from tasks.features import FeatureSettings
from tasks.gates import GateSettings
from tasks.holdout import Recipe
from tasks.inputs import InputSettings
from tasks.popularity import PopularitySettings
from tasks.publish import PublishSettings
from tasks.rank import TopNSettings
from tasks.refresh import RefreshSettings
from tasks.report import Targets
from tasks.similar import SimilarSettings
from tasks.train import TrainSettings

_PREFIX = "NIGHTSHELF_"
_REDIS_URL = ("NIGHTSHELF_REDIS_URL", "REDIS_URL", "redis_url")


class Settings(BaseSettings):
    """Each step's settings; the address of Redis is secret, since it may hold a password."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        toml_file="nightshelf.toml",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # the address of Redis may be part of it
    )

    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        validation_alias=AliasChoices(*_REDIS_URL),
    )
    inputs: InputSettings = InputSettings()
    events: EventSettings = EventSettings()
    features: FeatureSettings = FeatureSettings()
    train: TrainSettings = TrainSettings()
    topn: TopNSettings = TopNSettings()
    popularity: PopularitySettings = PopularitySettings()
    similar: SimilarSettings = SimilarSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    publish: PublishSettings = PublishSettings()
    gates: GateSettings = GateSettings()
    targets: Targets = Targets()
    collect: CollectSettings = CollectSettings()
    compact: CompactSettings = CompactSettings()
    refresh: RefreshSettings = RefreshSettings()

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Refuse a misspelt setting, which would otherwise do nothing in silence."""
        steps = [name for name in cls.model_fields if name != "redis_url"]
        for unknown in sorted({*values, *_steps_in_environment()} - {*steps, *_REDIS_URL}):
            raise ValueError(f"{unknown} has no settings; those that do: {', '.join(steps)}")
        return {name: cls._step(name, given) for name, given in values.items()}

    @model_validator(mode="after")
    def _idle_means_idle(self) -> Self:
        """Refuse an event type that is to be passed over and to be learnt from."""
        used = self.features
        taught = {kind for kind, weight in used.weights.items() if weight}
        taught |= {"purchase", *used.seen, *used.rating_types, *used.view_types}
        for kind in sorted(taught.intersection(self.events.idle)):
            raise ValueError(f"events.idle has {kind}, which features uses; take it out of one")
        return self

    @classmethod
    def _step(cls, name: str, given: object) -> object:
        """Check the names of one step's settings; tables and lists may be JSON text."""
        if name in _REDIS_URL or not isinstance(given, dict):
            return given
        known = [field.name for field in fields(cls.model_fields[name].default)]
        for unknown in sorted(set(given) - set(known)):
            raise ValueError(f"{name}.{unknown} is no setting; {name} has {', '.join(known)}")
        return {field: _decoded(value) for field, value in given.items()}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments first, then the environment, then `nightshelf.toml`."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def public(self) -> dict[str, Any]:
        """Return every setting but the address of Redis, for the run's record."""
        steps = set(type(self).model_fields) - {"redis_url"}
        return {name: asdict(getattr(self, name)) for name in sorted(steps)}

    @property
    def recipe(self) -> Recipe:
        """What the lists of a night follow from."""
        return Recipe(self.features, self.train, self.topn, self.popularity)

    def save(self, path: Path) -> None:
        """Write the public settings to a run's folder."""
        path.write_text(json.dumps(self.public(), indent=2) + "\n")

    def digest(self) -> str:
        """Return a short hash of all public settings: the manifest's `config_hash`."""
        text = json.dumps(self.public(), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_settings() -> Settings:
    """Read the settings; `SettingsError` says what is wrong with them, and where."""
    try:
        return Settings()
    except ValueError as error:  # pydantic's, a table that is no table, TOML that is none
        raise SettingsError(
            f"settings (NIGHTSHELF_<STEP>__<NAME>, nightshelf.toml): {error}"
        ) from error


def _steps_in_environment() -> set[str]:
    """Return every STEP of NIGHTSHELF_<STEP>__<NAME>: pydantic passes over unknown ones."""
    named = (name.upper() for name in os.environ if "__" in name)
    return {n.removeprefix(_PREFIX).split("__")[0].lower() for n in named if n.startswith(_PREFIX)}


def _decoded(value: object) -> object:
    """Parse the JSON of a table or a list, as which a variable gives it."""
    return json.loads(value) if isinstance(value, str) and value.startswith(("{", "[")) else value
