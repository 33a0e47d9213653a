"""An experiment as `experiments.toml` defines it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, Self

Allocation = Literal["fixed", "bandit"]
Status = Literal["draft", "running", "stopped", "ended"]
MetricKind = Literal["proportion", "ratio", "mean"]
#: Variants that a bandit can have: their floors leave room.
MOST_ARMS = 10


@dataclass(frozen=True)
class Metric:
    """A figure that variants are compared by; its unit is the user.

    - `kind`: "proportion", of users with an `event`; "ratio", of the sum of `event`s to that of
      impressions; "mean", of the users' sums of the value of `event`s.
    - `event`: the type of event that counts.
    """

    name: str
    kind: MetricKind
    event: str | None = None

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the metric of a name: one of `METRICS`, else the share of users with that event.

        >>> Metric.named("ctr").kind, Metric.named("add_to_cart").kind
        ('ratio', 'proportion')
        """
        kind, event = METRICS.get(name, ("proportion", name))
        return cls(name, kind, event)


#: Names of their own -> kind, event type.
METRICS: Mapping[str, tuple[MetricKind, str]] = {
    "conversion": ("proportion", "purchase"),
    "ctr": ("ratio", "click"),
    "revenue": ("mean", "purchase"),
}


@dataclass(frozen=True)
class WeightedVariant:
    """A variant: its name, its model, and its weight beside the others'."""

    name: str
    model: str
    weight: float = 1.0


@dataclass(frozen=True)
class Definition:
    """An experiment; the first variant is the control.

    - `namespaces`: those that it runs in; every one where there are none.
    - `traffic`: share of the users who take part, 0 to 1.
    - `start`, `end`: UTC; it runs from `start` on, up to but not at `end`, which may be `None`.
    - `minimum_detectable_effect`: of the primary metric, relative to the control's.
    - `attribution_window_h`: hours after an exposure in which an outcome counts.
    - `auto_stop`: whether a breach of a guardrail stops it.
    """

    id: str
    hypothesis: str
    variants: tuple[WeightedVariant, ...]
    start: datetime
    end: datetime | None = None
    status: Status = "draft"
    allocation: Allocation = "fixed"
    traffic: float = 1.0
    primary: Metric = Metric("conversion", *METRICS["conversion"])
    secondary: tuple[Metric, ...] = ()
    guardrails: tuple[Metric, ...] = ()
    minimum_detectable_effect: float = 0.1
    attribution_window_h: float = 24.0
    auto_stop: bool = False
    namespaces: tuple[str, ...] = ()

    @property
    def control(self) -> WeightedVariant:
        """The variant that the others are compared with."""
        return self.variants[0]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics, the primary first."""
        return (self.primary, *self.secondary, *self.guardrails)

    @property
    def weights(self) -> dict[str, float]:
        """Shares of the variants by name, adding up to 1."""
        total = sum(each.weight for each in self.variants)
        return {each.name: each.weight / total for each in self.variants}

    def runs_at(self, instant: datetime) -> bool:
        """Tell whether it is running and not over at an instant; it may be still to start."""
        return self.status == "running" and (self.end is None or instant < self.end)

    def to_json(self) -> str:
        """Return the definition as JSON, times in ISO 8601, metrics by name."""
        facts = asdict(self) | {
            "start": self.start.isoformat(),
            "end": self.end.isoformat() if self.end else "",
            "primary": self.primary.name,
            "secondary": [each.name for each in self.secondary],
            "guardrails": [each.name for each in self.guardrails],
        }
        return json.dumps(facts, ensure_ascii=False, sort_keys=True)

    def digest(self) -> str:
        """Return a short hash of the definition."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]
