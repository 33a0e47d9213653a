"""The blend that a generation's lists are of, kept in its manifest."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ChosenBlend:
    """Weights and half-lives of a night's blend (`tasks/choose/choice.py`).

    - `weights`: of als, graph and popular, 0 or more. `by_history`: the same in that order, for
      users with so many different items in their history whose weights are others.
    - `half_lives_days`: of what models learn from, of profiles and of recent popularity.
    - `held`: they are those of the settings; else the night's backtest chose them.
    """

    weights: Mapping[str, float]
    half_lives_days: Mapping[str, float]
    by_history: Mapping[str, Sequence[float]] = field(default_factory=dict)
    held: bool = False

    def text(self) -> str:
        """Return the weights, half-lives and exceptions as one line.

        >>> half_lives = {"learning": 60.0, "profile": 7.0, "popular": 3.0}
        >>> ChosenBlend({"als": 1.0, "popular": 0.25}, half_lives, {"1": [0.0, 1.0]}).text()
        'als 1, popular 0.25; half-lives in days: learning 60, profile 7, popular 3; others for 1'
        """
        parts = [_named(self.weights), f"half-lives in days: {_named(self.half_lives_days)}"]
        if self.by_history:
            parts.append(f"others for {', '.join(self.by_history)}")
        return "; ".join([*parts, *(["held by the settings"] if self.held else [])])

    @classmethod
    def from_raw(cls, raw: dict[str, Any]) -> "ChosenBlend":
        """Take from decoded JSON, passing over later fields; raises as `Counting.from_raw` does."""
        return cls(
            weights=_numbers(raw["weights"]),
            half_lives_days=_numbers(raw["half_lives_days"]),
            by_history={
                str(name): tuple(map(_finite, each))
                for name, each in dict(raw["by_history"]).items()
            },
            held=bool(raw["held"]),
        )


def _numbers(raw: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): _finite(each) for name, each in dict(raw).items()}


def _finite(raw: float) -> float:
    if not math.isfinite(raw):
        raise ValueError(f"expected a finite number, not {raw!r}")
    return float(raw)


def _named(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in values.items())
