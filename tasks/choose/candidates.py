"""Candidates of the choice: half-lives, and weights of a blend's parts."""

from typing import Any, NamedTuple

from tasks.choose.settings import ChooseSettings
from tasks.models.blend.settings import Weights

#: Weights that are tried: blends of all three first, which vary least from night to night and keep
#: lists personal, the default before all; then of two, then parts alone.
WEIGHTS = tuple(
    Weights(*each)
    for each in (
        (1.0, 1.0, 0.25),
        (1.0, 1.0, 0.5),
        (1.0, 1.0, 0.05),
        (1.0, 1.0, 1.0),
        (0.5, 1.0, 0.15),
        (0.25, 1.0, 0.1),
        (0.5, 0.5, 1.0),
        (0.0, 1.0, 0.05),
        (0.0, 1.0, 1.0),
        (1.0, 0.0, 0.25),
        (1.0, 0.0, 0.0),
        (0.0, 0.0, 1.0),
    )
)
#: Recent popularity alone.
POPULAR = WEIGHTS[-1]


class Spans(NamedTuple):
    """Half-lives in days: of what models learn from, of profiles, of recent popularity."""

    learning: float
    profile: float
    popular: float


class Candidate(NamedTuple):
    """A blend to judge."""

    spans: Spans
    weights: Weights

    @property
    def facts(self) -> dict[str, Any]:
        """The candidate in words and numbers."""
        return {"half_lives_days": self.spans._asdict(), "weights": self.weights._asdict()}

    @property
    def canonical(self) -> "Candidate":
        """The candidate without half-lives that its weights leave without effect: equal lists."""
        spans, weights = self.spans, self.weights
        return Candidate(
            Spans(
                spans.learning if weights.als or weights.graph else 0.0,
                spans.profile if weights.graph else 0.0,
                spans.popular if weights.popular else 0.0,
            ),
            weights,
        )


def first_spans(settings: ChooseSettings) -> Spans:
    """Return the half-lives under which the weights are compared first."""
    return Spans(
        settings.half_lives_days[0],
        settings.profile_half_lives_days[0],
        settings.popular_half_lives_days[len(settings.popular_half_lives_days) // 2],
    )


def near_spans(spans: Spans, name: str, settings: ChooseSettings) -> list[Spans]:
    """Return half-lives that differ from some in the one called `name` alone, those first."""
    tried = {
        "learning": settings.half_lives_days,
        "profile": settings.profile_half_lives_days,
        "popular": settings.popular_half_lives_days,
    }[name]
    return list(dict.fromkeys([spans, *(spans._replace(**{name: each}) for each in tried)]))
