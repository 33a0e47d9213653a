"""Event rules of a night, kept in the manifest so that readers count as the night does."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: The type of a conversion where no night says another.
PURCHASE = "purchase"
#: Of points in fixed point, those of weight 1 (docs/decisions/0006-exact-sums.md).
UNIT_POINTS = 2**32


@dataclass(frozen=True)
class Counting:
    """Effects of event types on features (`tasks/features/build.py`, `tasks/ingest/clean.py`).

    `weights` and `half_life_days` make an item's popularity; `views` go into `recent_views`, which
    holds `n_recent` items; the values of `ratings` are averaged; what is `idle` counts for nothing.
    `purchases` are conversions, their value the revenue; `seen` takes an item off a user's lists
    (`None` in manifests of generations that did not say so).
    """

    weights: Mapping[str, float]
    half_life_days: float
    views: Sequence[str]
    ratings: Sequence[str]
    idle: Sequence[str]
    n_recent: int
    purchases: Sequence[str] = (PURCHASE,)
    seen: Sequence[str] | None = None

    def knows(self, event_type: str) -> bool:
        """Tell whether the night uses a type, or ignores it on purpose."""
        named = (self.weights, self.views, self.ratings, self.idle, self.purchases, self.seen or ())
        return any(event_type in names for names in named)

    def points(self, event_type: str, age_days: int) -> int:
        """Return fixed-point points of an event for an item (`tasks/features/sql/points.sql`)."""
        weight = self.weights.get(event_type, 0.0)
        if weight == 0:
            return 0
        points = math.floor(abs(weight) * UNIT_POINTS * self.faded(age_days) + 0.5)
        return int(math.copysign(max(1, points), weight))

    def faded(self, age_days: int) -> float:
        """Return the weight left of 1 after so many UTC days."""
        return math.exp2(-age_days / self.half_life_days)

    @classmethod
    def from_raw(cls, raw: dict[str, Any]) -> "Counting":
        """Take from decoded JSON, passing over later fields; raises `KeyError` and `TypeError`."""
        weights = raw["weights"]
        half_life_days, n_recent = float(raw["half_life_days"]), raw["n_recent"]
        if not half_life_days > 0 or not isinstance(n_recent, int):
            raise TypeError(f"not a rule for counting: {raw!r}")
        return cls(
            weights={name: float(weights[name]) for name in weights},
            half_life_days=half_life_days,
            views=tuple(map(str, raw["views"])),
            ratings=tuple(map(str, raw["ratings"])),
            idle=tuple(map(str, raw["idle"])),
            n_recent=n_recent,
            purchases=tuple(map(str, raw.get("purchases") or (PURCHASE,))),
            seen=None if raw.get("seen") is None else tuple(map(str, raw["seen"])),
        )
