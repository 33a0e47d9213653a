"""The search space: settings that are tuned, and their ranges."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution

from tasks.settings import Settings

#: Values by `section.name` of their setting.
Values = Mapping[str, Any]

#: Half-lives, the parts of the blend and their weights. Half-lives are a few each: features are
#: built once for each pair of the first two.
SPACE: Mapping[str, CategoricalDistribution | FloatDistribution] = {
    "features.half_life_days": CategoricalDistribution((15.0, 60.0, 365.0, 3650.0)),
    "features.profile_half_life_days": CategoricalDistribution((3.0, 7.0, 60.0, 365.0, 3650.0)),
    "blend.half_life_days": CategoricalDistribution((3.0, 7.0, 30.0)),
    "blend.als": FloatDistribution(0.0, 1.0),
    "blend.graph": FloatDistribution(0.0, 1.0),
    "blend.popular": FloatDistribution(0.0, 1.0),
    "ials.alpha": FloatDistribution(0.25, 64.0, log=True),
    "ials.unobserved_weight": FloatDistribution(0.05, 10.0, log=True),
    "ials.regularization": FloatDistribution(0.0001, 0.1, log=True),
    "ials.factors": CategoricalDistribution((16, 32, 64, 96, 128)),
    "slim.regularization": FloatDistribution(0.1, 100.0, log=True),
    "slim.user_exponent": FloatDistribution(0.0, 1.0),
}


def values_of(settings: Settings) -> dict[str, Any]:
    """Return the settings' values of the search space."""
    return {name: _get(settings, name) for name in SPACE}


def with_values(settings: Settings, values: Values) -> Settings:
    """Return the settings with values of the search space in place of theirs."""
    sections: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, _, field = name.partition(".")
        sections.setdefault(section, {})[field] = value
    changed = {name: replace(getattr(settings, name), **given) for name, given in sections.items()}
    return settings.model_copy(update=changed)


def in_space(values: Values) -> bool:
    """Return true if a search may try each of the values."""
    return all(
        values[name] in each.choices
        if isinstance(each, CategoricalDistribution)
        else each.low <= values[name] <= each.high
        for name, each in SPACE.items()
    )


def rounded(values: Values) -> dict[str, Any]:
    """Return the values with three significant digits, as they are judged and written.

    >>> rounded({"ials.alpha": 4.18273, "ials.factors": 64})
    {'ials.alpha': 4.18, 'ials.factors': 64}
    """
    return {
        name: float(f"{value:.3g}") if isinstance(value, float) else value
        for name, value in values.items()
    }


def _get(settings: Settings, name: str) -> Any:
    section, _, field = name.partition(".")
    return getattr(getattr(settings, section), field)
