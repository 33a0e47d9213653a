"""Facts of the settings in force: of the live generation's night, and of this service."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from nightshelf.contract.values import Manifest
from nightshelf.service.settings import ServiceSettings

#: Values of such names are never shown, whoever wrote the file.
_SECRET = re.compile(
    r"secret|token|passw|credential|url|address|webhook|notify|(^|_)key$", re.IGNORECASE
)
HIDDEN = "(hidden)"
#: Settings that a night's choice of the blend may set.
_CHOSEN = {
    ("features", "half_life_days"),
    ("features", "profile_half_life_days"),
    ("popularity", "half_life_days"),
    *(("blend", name) for name in ("als", "graph", "popular", "by_history", "half_life_days")),
}


@dataclass(frozen=True)
class InForce:
    """A setting in force; `default` is `None` where it is not known or is the value itself.

    `source` is ``default``, ``set`` (by the settings file or the environment), ``chosen`` (by the
    night's backtest) or empty where the defaults are not known.
    """

    section: str
    name: str
    value: str
    default: str | None
    source: str


@dataclass(frozen=True)
class NightSettings:
    """Settings of a generation's night, by section; `missing` says why there are none."""

    generation: int | None
    rows: tuple[InForce, ...] = ()
    missing: str = ""
    knows_defaults: bool = True


def night_settings(
    live: Manifest | None,
    runs: Path | None,
    defaults: Mapping[str, Mapping[str, Any]] | None,
) -> NightSettings:
    """Read the settings of the live generation's night from its folder."""
    if live is None:
        return NightSettings(None, missing="Nothing is live.")
    if runs is None:
        says = "The setting runs_dir is not set, so the run's settings are not known."
        return NightSettings(live.generation, missing=says)
    path = runs / str(live.generation) / "settings.json"
    try:
        sections = json.loads(path.read_bytes())
        assert isinstance(sections, dict)
    except (OSError, ValueError, AssertionError):
        says = f"The folder of generation {live.generation} has no settings.json that can be read."
        return NightSettings(live.generation, missing=says)
    chosen = live.choice is not None and not live.choice.held
    rows = tuple(_rows(sections, defaults, chosen=chosen))
    return NightSettings(live.generation, rows, knows_defaults=defaults is not None)


def service_settings(settings: ServiceSettings) -> tuple[InForce, ...]:
    """Return this service's settings, without secrets; of keys, names and scopes."""
    rows = []
    for name, field in type(settings).model_fields.items():
        value, default = getattr(settings, name), field.get_default(call_default_factory=True)
        if name == "keys":
            shown = {each: sorted(key.scopes) for each, key in settings.keys.items()}
            rows.append(_row("service", name, shown, {}, secret=False))
        else:
            secret = bool(_SECRET.search(name)) or isinstance(value, SecretStr)
            rows.append(_row("service", name, value, default, secret=secret))
    return tuple(rows)


def _rows(
    sections: Mapping[str, Any],
    defaults: Mapping[str, Mapping[str, Any]] | None,
    *,
    chosen: bool,
) -> Iterator[InForce]:
    for section, names in sections.items():
        if not isinstance(names, dict):
            continue
        for name, value in names.items():
            secret = bool(_SECRET.search(name))
            if defaults is None or name not in defaults.get(section, {}):
                text = _text(value) if not secret else HIDDEN
                yield InForce(section, name, text, None, "")
                continue
            row = _row(section, name, value, defaults[section][name], secret=secret)
            if chosen and (section, name) in _CHOSEN and row.source == "set":
                row = InForce(section, name, row.value, row.default, "chosen")
            yield row


def _row(section: str, name: str, value: Any, default: Any, *, secret: bool) -> InForce:
    same = _plain(value) == _plain(default)
    source = "default" if same else "set"
    if secret:
        given = HIDDEN if value is not None else "not set"
        return InForce(section, name, given, None, source)
    return InForce(section, name, _text(value), None if same else _text(default), source)


def _plain(value: Any) -> Any:
    """Return a value as JSON would give it back; of a secret, its text."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.loads(json.dumps(value, default=str, sort_keys=True))


def _text(value: Any) -> str:
    if value is None:
        return "none"
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
