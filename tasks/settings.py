"""All settings of a night in one object, read once, from the environment and `nightshelf.toml`.

The environment wins over the file. Names follow the fields: `NIGHTSHELF_TOPN__N=20`,
`NIGHTSHELF_FEATURES__HALF_LIFE_DAYS=30`, or in `nightshelf.toml`::

    [features]
    half_life_days = 30
"""

import hashlib
import json
from dataclasses import asdict, fields, is_dataclass
from typing import Any

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tasks.events import EventSettings
from tasks.features import FeatureSettings
from tasks.inputs import InputSettings
from tasks.popularity import PopularitySettings
from tasks.publish import PublishSettings
from tasks.report import Targets
from tasks.similar import SimilarSettings
from tasks.topn import TopNSettings
from tasks.train import TrainSettings


class Settings(BaseSettings):
    """Each step's settings; the address of Redis is secret, since it may hold a password."""

    model_config = SettingsConfigDict(
        env_prefix="NIGHTSHELF_",
        env_nested_delimiter="__",
        toml_file="nightshelf.toml",
        extra="forbid",
        frozen=True,
    )

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        validation_alias=AliasChoices("NIGHTSHELF_REDIS_URL", "REDIS_URL", "redis_url"),
    )
    inputs: InputSettings = InputSettings()
    events: EventSettings = EventSettings()
    features: FeatureSettings = FeatureSettings()
    train: TrainSettings = TrainSettings()
    topn: TopNSettings = TopNSettings()
    popularity: PopularitySettings = PopularitySettings()
    similar: SimilarSettings = SimilarSettings()
    publish: PublishSettings = PublishSettings()
    targets: Targets = Targets()

    @model_validator(mode="before")
    @classmethod
    def _no_unknown_names(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Refuse a misspelt setting of a step, which would otherwise do nothing in silence."""
        for name, given in values.items():
            default = cls.model_fields[name].default if name in cls.model_fields else None
            if is_dataclass(default) and isinstance(given, dict):
                known = [field.name for field in fields(default)]
                for unknown in set(given) - set(known):
                    raise ValueError(f"{name}.{unknown} is no setting; {name} has {', '.join(known)}")
        return values

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], **sources: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            sources["init_settings"],
            sources["env_settings"],
            TomlConfigSettingsSource(settings_cls),
        )

    def public(self) -> dict[str, Any]:
        """Return every setting but the address of Redis, for the run's record."""
        steps = set(type(self).model_fields) - {"redis_url"}
        return {name: asdict(getattr(self, name)) for name in sorted(steps)}

    def digest(self) -> str:
        """Return a short hash of all public settings: the manifest's `config_hash`."""
        text = json.dumps(self.public(), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
