"""The choice: half-lives and weights of tonight's blend."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from nightshelf.contract.chosen_blend import ChosenBlend
from tasks.choose.candidates import Candidate, Spans
from tasks.models.blend.settings import BlendParts, BlendSettings, Weights
from tasks.recipe import Recipe

#: A row of the evidence.
Row = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """Half-lives and weights of tonight's blend, and the evidence for them.

    - `spans`: half-lives in days, of learning, profile and popular; `fallback_days` that of the
      popular lists.
    - `weights`: of als, graph and popular; `by_history` those of the buckets that have their own.
    - `why`: one sentence. `evidence`: JSON, every candidate's figures.
    - `before`: half-lives and weights of the night before (`Candidate.facts`); empty without one.
    - `days`: days held out; `n_candidates`: candidates judged; 0 where the settings were held.
    - By protocol ("by time", "last event"), none where the settings were held: `n_judged` users;
      `ndcg`, `popular_ndcg`: NDCG@10 of the choice and of recent popularity on the same users;
      `ndcg_error`, `ahead_error`: standard errors of the first, and of their paired difference;
      `last_ndcg`, `last_error`: NDCG@10 of the night before's blend on the same users, and the
      standard error of its paired difference to the choice; none without one.
    """

    evidence: Path
    why: str
    spans: Mapping[str, float]
    fallback_days: float
    weights: Mapping[str, float]
    by_history: Mapping[str, list[float]] = field(default_factory=dict)
    held: bool = True
    changed: bool = False
    before: Mapping[str, Any] = field(default_factory=dict)
    days: int = 0
    n_candidates: int = 0
    n_judged: Mapping[str, int] = field(default_factory=dict)
    ndcg: Mapping[str, float] = field(default_factory=dict)
    ndcg_error: Mapping[str, float] = field(default_factory=dict)
    popular_ndcg: Mapping[str, float] = field(default_factory=dict)
    ahead_error: Mapping[str, float] = field(default_factory=dict)
    last_ndcg: Mapping[str, float] = field(default_factory=dict)
    last_error: Mapping[str, float] = field(default_factory=dict)

    @property
    def candidate(self) -> Candidate:
        """Half-lives and common weights."""
        return Candidate(Spans(**self.spans), Weights(**self.weights))

    def blended(self, blend: BlendSettings) -> BlendSettings:
        """Return the settings of a blend with the chosen half-life and weights."""
        own = {name: Weights(*each) for name, each in self.by_history.items()}
        weights = Weights(**self.weights)._asdict()
        chosen = {**weights, "half_life_days": self.spans["popular"], "by_history": own}
        return replace(blend, **chosen)

    @property
    def published(self) -> ChosenBlend | None:
        """The choice as the manifest has it; none where no model is a blend."""
        if not self.weights:
            return None
        return ChosenBlend(dict(self.weights), dict(self.spans), dict(self.by_history), self.held)

    @property
    def figures(self) -> dict[str, float]:
        """Figures for the gates; none where the settings were held.

        `choice_over_popularity` is NDCG@10 and a standard error over recent popularity's, the least
        of the protocols.
        """
        if self.held:
            return {}
        over = [
            (self.ndcg[name] + self.ahead_error[name]) / popular
            for name, popular in self.popular_ndcg.items()
            if popular
        ]
        return {
            "choice_ndcg_at_10": self.ndcg[self.protocol],
            "choice_users": self.n_judged[self.protocol],
            "choice_days": self.days if self.protocol == "by time" else 0,
            **({"choice_over_popularity": min(over)} if over else {}),
        }

    @property
    def protocol(self) -> str:
        """The protocol whose figures stand for the choice: by time, if anybody was judged so."""
        return "by time" if "by time" in self.ndcg else next(iter(self.ndcg), "")

    def applied(self, recipe: Recipe) -> Recipe:
        """Return the recipe with the chosen half-lives and weights."""
        if self.held:
            return recipe
        spans = Spans(**self.spans)
        models = {
            name: replace(each, blend=self.blended(each.blend))
            if isinstance(each, BlendParts)
            else each
            for name, each in recipe.models.items()
        }
        return replace(
            recipe,
            features=replace(
                recipe.features,
                half_life_days=spans.learning,
                profile_half_life_days=spans.profile,
            ),
            models=models,
            popular_half_life_days=spans.popular,
            popularity=replace(recipe.popularity, half_life_days=self.fallback_days),
        )


def write_choice(
    choice: Choice,
    candidates: Sequence[Row] = (),
    buckets: Sequence[Row] = (),
    rules: Sequence[Row] = (),
) -> None:
    """Write the choice and its evidence as JSON: candidates, history buckets, price of rules."""
    facts = asdict(choice) | {
        "evidence": None,
        "candidates": candidates,
        "buckets": buckets,
        "rules": rules,
    }
    choice.evidence.write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2) + b"\n")
