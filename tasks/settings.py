"""All settings in one object, read once, from the environment and `nightshelf.toml`.

Of a setting that is given more than once the first of these counts:

1. the environment, for every namespace that the process works on: `NIGHTSHELF_TOPN__N=20`,
   `NIGHTSHELF_FEATURES__SEEN='["purchase"]'`,
2. the namespace's table in the file, `[namespace.books.topn]`,
3. the common table in the file, `[topn]`,
4. the default.

The file is `nightshelf.toml` in the current directory, or the one that `--config` names
(`tasks/settings_file.py`).
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tasks.choose.settings import ChooseSettings
from tasks.collector.collect import CollectSettings
from tasks.collector.compact import CompactSettings
from tasks.errors import SettingsError
from tasks.evaluation.settings import EvaluateSettings, GateSettings
from tasks.features.settings import FeatureSettings
from tasks.ingest.contract import InputSettings
from tasks.ingest.settings import EventSettings
from tasks.io.memory import MachineSettings
from tasks.models.als.settings import TrainSettings
from tasks.models.blend.settings import BlendParts, BlendSettings
from tasks.models.ease.settings import EaseSettings
from tasks.models.graph.settings import GraphSettings
from tasks.models.ials.settings import IalsSettings
from tasks.models.settings import MODEL_SETTINGS, ModelsSettings
from tasks.models.slim.settings import SlimSettings
from tasks.publish.settings import PublishSettings
from tasks.readout.settings import ReadoutSettings
from tasks.recipe import Recipe
from tasks.recommend.settings import PopularitySettings, SimilarSettings, TopNSettings
from tasks.refresh.settings import RefreshSettings
from tasks.report.settings import Targets
from tasks.runs.settings import RunsSettings
from tasks.settings_file import DEFAULT, Known, SettingsFile, unknown_names
from tasks.spark.settings import EngineSettings, SparkSettings
from tasks.watch.settings import WatchSettings

_PREFIX = "NIGHTSHELF_"
_REDIS_URL = ("NIGHTSHELF_REDIS_URL", "REDIS_URL", "redis_url")
#: No list follows from these; the first three hold secrets.
_NOT_RECORDED = {"redis_url", "watch", "spark", "machine"}
#: Never repeated in an error.
_SECRETS = {("spark", "session"), ("watch", "notify"), ("watch", "service_key")}


class Settings(BaseSettings):
    """All settings of a night, by step.

    - `redis_url`: address of Redis; secret, as it may hold a password.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
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
    models: ModelsSettings = ModelsSettings()
    train: TrainSettings = TrainSettings()
    ials: IalsSettings = IalsSettings()
    slim: SlimSettings = SlimSettings()
    ease: EaseSettings = EaseSettings()
    graph: GraphSettings = GraphSettings()
    blend: BlendSettings = BlendSettings()
    choose: ChooseSettings = ChooseSettings()
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
    readout: ReadoutSettings = ReadoutSettings()
    watch: WatchSettings = WatchSettings()
    runs: RunsSettings = RunsSettings()
    machine: MachineSettings = MachineSettings()
    engine: EngineSettings = EngineSettings()
    spark: SparkSettings = SparkSettings()

    @model_validator(mode="before")
    @classmethod
    def _known_names(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Refuse a misspelt setting, which would otherwise do nothing in silence."""
        steps = dict.fromkeys(_steps_in_environment()) | values
        given = {name: steps[name] for name in sorted(steps) if name not in _REDIS_URL}
        for sentence in unknown_names(given, cls.known()):
            raise ValueError(sentence)
        return {name: _decoded_table(name, given) for name, given in values.items()}

    @model_validator(mode="after")
    def _idle_means_idle(self) -> Self:
        """Refuse an event type that is both idle and used by features."""
        used = self.features
        taught = {kind for kind, weight in used.weights.items() if weight}
        taught |= {*used.purchase_types, *used.seen, *used.rating_types, *used.view_types}
        for kind in sorted(taught.intersection(self.events.idle)):
            raise ValueError(f"events.idle has {kind}, which features uses; take it out of one")
        return self

    @classmethod
    def known(cls) -> Known:
        """Return the names of each step's settings."""
        steps = (name for name in cls.model_fields if name != "redis_url")
        return {step: [f.name for f in fields(cls.model_fields[step].default)] for step in steps}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment first, then the arguments: a settings file's tables."""
        return env_settings, init_settings

    def public(self) -> dict[str, Any]:
        """Return every setting that a result may follow from, for the run's record."""
        steps = set(type(self).model_fields) - _NOT_RECORDED
        return {name: asdict(getattr(self, name)) for name in sorted(steps)}

    @property
    def roles(self) -> dict[str, tuple[str, ...]]:
        """Event types that experiments count as a purchase or a click."""
        return {"purchase": self.features.purchase_types, "click": self.readout.click_types}

    @property
    def recipe(self) -> Recipe:
        """Settings that the lists of a run follow from."""
        return self.recipe_with(())

    def recipe_with(self, models: Iterable[str]) -> Recipe:
        """Return the recipe of the default model, with further ones after the settings' own."""
        default, *others = dict.fromkeys([*self.models.names, *models])
        recipe = self._recipe_of([default])
        return replace(recipe, further={name: MODEL_SETTINGS[name](self) for name in others})

    @property
    def compared(self) -> Recipe:
        """The same, with ALS and the graph to compare the night's models with."""
        return self._recipe_of(dict.fromkeys([*self.models.names, "als", "graph"]))

    def _recipe_of(self, names: Iterable[str]) -> Recipe:
        models = {name: MODEL_SETTINGS[name](self) for name in names}
        return Recipe(
            self.features,
            models,
            self.blend.half_life_days,
            self.topn,
            self.popularity,
            self.similar,
        )

    def taking(self, recipe: Recipe) -> Self:
        """Return these settings with a recipe's half-lives and weights in place of their own."""
        parts = (each for each in recipe.models.values() if isinstance(each, BlendParts))
        blend = next((each.blend for each in parts), self.blend)
        taken = {"features": recipe.features, "blend": blend, "popularity": recipe.popularity}
        return self.model_copy(update=taken)

    def save(self, path: Path) -> None:
        """Write the public settings to a run's folder."""
        path.write_text(json.dumps(self.public(), indent=2) + "\n")

    def digest(self) -> str:
        """Return a short hash of all public settings: the manifest's `config_hash`."""
        text = json.dumps(self.public(), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_settings(namespace: str, config: Path | None = None) -> Settings:
    """Read a namespace's settings from the environment and from `config` (`nightshelf.toml`).

    Raises `SettingsError`, which says what is wrong, and where it stands.
    """
    path = config or DEFAULT
    file = SettingsFile()
    try:
        file = SettingsFile.read(namespace, config, Settings.known())
        return Settings(**file.tables)
    except OSError as error:
        raise SettingsError(f"settings: {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        wrong = "; ".join(_said(each, file) for each in error.errors(include_url=False))
    except ValueError as error:  # TOML that is none, JSON that is none
        wrong = str(error)
    where = f"{path.absolute()}" if path.exists() else f"no {path} in {Path.cwd()}"
    raise SettingsError(f"settings (environment NIGHTSHELF_<STEP>__<NAME>; {where}): {wrong}")


def _said(wrong: ErrorDetails, file: SettingsFile) -> str:
    """Describe a wrong value: its place, the fault, and the value if it is no secret."""
    reason, place = wrong["msg"].removeprefix("Value error, "), [str(part) for part in wrong["loc"]]
    if len(place) < 2:  # a whole step, the address of Redis, or a sentence that names its setting
        return ": ".join([*place, reason])
    step, name, *inside = place
    variable = f"{_PREFIX}{step}__{name}".upper()
    stands = variable in map(str.upper, os.environ)
    at = variable if stands else file.where(step, name)
    it_is = "" if (step, name) in _SECRETS else f"; it is {wrong['input']!r:.80}"
    return f"{'.'.join([at, *inside])}: {reason}{it_is}"


def _steps_in_environment() -> set[str]:
    """Return every STEP of NIGHTSHELF_<STEP>__<NAME>: pydantic passes over unknown ones."""
    named = (name.upper() for name in os.environ if "__" in name)
    return {n.removeprefix(_PREFIX).split("__")[0].lower() for n in named if n.startswith(_PREFIX)}


def _decoded_table(step: str, given: object) -> object:
    """Parse the settings of a step that are JSON text: tables and lists in the environment."""
    if step in _REDIS_URL or not isinstance(given, dict):
        return given
    return {name: _decoded(f"{step}.{name}", value) for name, value in given.items()}


def _decoded(name: str, value: object) -> object:
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"{name} is no JSON: {error}") from error
