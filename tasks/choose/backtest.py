"""Backtest of blends: parts learnt from the known part of a log, lists judged by the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tasks.artifacts.factors import Factors
from tasks.artifacts.records import Popularity
from tasks.artifacts.scoring import Scoring
from tasks.choose.candidates import Candidate, Spans
from tasks.choose.split import Splits
from tasks.evaluation.judged_lists import Audience, audience_of, hits_of, model_lists
from tasks.evaluation.ranking_metrics import ndcg
from tasks.features.build import build_features
from tasks.features.count_popularity import count_popularity
from tasks.models.als.model import Als
from tasks.models.base import Interactions
from tasks.models.blend.model import Blend, fit_parts, top_of
from tasks.models.blend.settings import BlendParts, BlendSettings
from tasks.models.graph.links import profiles_of
from tasks.models.graph.model import Graph
from tasks.models.history import bucket_of
from tasks.models.ials.model import Ials
from tasks.models.popular.model import popularity_column
from tasks.models.score_sum import sum_of
from tasks.models.training import interactions, load_popularity
from tasks.recipe import Recipe
from tasks.recommend._jit.item_blocks import ItemIndex
from tasks.recommend.exact_search import index_of, rank
from tasks.recommend.settings import TopNSettings
from tasks.runs.run_folder import Run

#: Places that are judged: a first page.
DEPTH = 10
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Learnt:
    """All that is known at the cut under the half-lives of learning and of profiles.

    `audiences` are the judged users by protocol.
    """

    data: Interactions
    audiences: Mapping[str, Audience]


@dataclass(frozen=True, eq=False)
class RuledFigures:
    """Figures of lists under a rule: NDCG@10 of each judged user with a history, and score sum."""

    ndcg: Floats
    scores: float


@dataclass
class Backtest:
    """Lists of candidates, each judged by NDCG@10 for the users of the splits.

    Judged are the first pages that would be served: available items that the user has not seen, by
    the category rule. Parts are learnt once for each half-life.
    """

    splits: Splits
    recipe: Recipe
    parts: BlendParts
    _learnt: dict[tuple[float, float], Learnt] = field(default_factory=dict)
    _parts: dict[float, tuple[Als | Ials, Graph, float]] = field(default_factory=dict)
    _blends: dict[Spans, Blend] = field(default_factory=dict)
    _counted: dict[float, Popularity] = field(default_factory=dict)
    _index: dict[Spans, ItemIndex] = field(default_factory=dict)

    def of(self, parts: BlendParts) -> "Backtest":
        """Return this backtest with other settings of the parts; both share their features."""
        return replace(self, parts=parts, _parts={}, _blends={}, _index={})

    @cached_property
    def protocols(self) -> tuple[str, ...]:
        """Protocols that have a say: those judged by enough users with a history."""
        known = {name: int((each > 0).sum()) for name, each in self.buckets.items()}
        return tuple(name for name, n in known.items() if n >= self.splits.least)

    @cached_property
    def buckets(self) -> Mapping[str, Ints]:
        """Bucket of each judged user by protocol, in the order of the split."""
        learnt = self._learn(self.recipe.features.half_life_days)
        n_items = np.diff((learnt.data.strengths > 0).indptr)
        return {
            name: bucket_of(np.where(each.rows < 0, 0, n_items[each.rows]))
            for name, each in learnt.audiences.items()
        }

    def ndcg(self, candidate: Candidate) -> Mapping[str, Floats]:
        """Return NDCG@10 of each judged user with a history (bucket over 0), by `protocols`."""
        learnt = self._learn(candidate.spans.learning, candidate.spans.profile)
        blend = self._blend(learnt, candidate.spans).weighed(candidate.weights)
        index = self._indexed(candidate.spans) if candidate.weights.als else None
        found = {}
        for name in self.protocols:
            audience = learnt.audiences[name]
            scoring = blend.of(audience.rows[audience.known]).scoring
            scoring = scoring if index else scoring.lean
            figures = self._judge(audience, scoring, audience.known, index)
            found[name] = figures[self.buckets[name] > 0]
        return found

    def ruled(
        self, spans: Spans, blend: BlendSettings, rule: TopNSettings
    ) -> Mapping[str, RuledFigures]:
        """Return the figures of the judged users' lists under a rule, by `protocols`."""
        learnt = self._learn(spans.learning, spans.profile)
        model = self._blend(learnt, spans)
        scoring = replace(model, settings=replace(model.settings, blend=blend)).scoring
        index, found = self._indexed(spans), {}
        for name in self.protocols:
            audience = learnt.audiences[name]
            lists = model_lists(audience, scoring, rule, index)
            figures = ndcg(hits_of(audience, lists), audience.n_relevant, DEPTH)
            own = scoring.of(audience.rows[audience.known])
            found[name] = RuledFigures(
                figures[self.buckets[name] > 0], sum_of(own, lists[audience.known])
            )
        return found

    def strangers_ndcg(self, half_life_days: float) -> Floats:
        """Return NDCG@10 of recent popularity for each judged user without a history."""
        learnt = self._learn(self.recipe.features.half_life_days)
        if "by time" not in learnt.audiences:
            return np.zeros(0)
        strangers = np.flatnonzero(self.buckets["by time"] == 0)
        items = self._popular(learnt, half_life_days)
        scoring = Scoring(np.ones((len(strangers), 1), np.float32), items)
        return self._judge(learnt.audiences["by time"], scoring, strangers)[strangers]

    def _blend(self, learnt: Learnt, spans: Spans) -> Blend:
        """Return a blend of the users and items that are known, of any weights."""
        if spans.learning not in self._parts:
            als, graph = fit_parts(learnt.data, self.parts)
            self._parts[spans.learning] = als, graph, top_of(als)
        if spans not in self._blends:
            als, graph, top = self._parts[spans.learning]
            profiles = profiles_of(learnt.data.recent, graph.facts["unit"])
            graph = replace(graph, profiles=profiles)
            popular = self._popular(learnt, spans.popular)
            self._blends[spans] = Blend.of_parts(als, graph, popular, self.parts, top)
        return self._blends[spans]

    def _indexed(self, spans: Spans) -> ItemIndex:
        """Return the items of the blends of some half-lives as `rank` needs them; the last is kept.

        A weight changes no item: all blends of the same half-lives share one.
        """
        if spans not in self._index:
            self._index.clear()
            catalogue = next(iter(self._learn(*spans[:2]).audiences.values())).catalogue
            blend = self._blends[spans]
            scoring = Scoring(blend.users, blend.items, blend.profiles, blend.neighbours)
            self._index[spans] = index_of(scoring, catalogue)
        return self._index[spans]

    def _learn(self, learning: float, profile: float | None = None) -> Learnt:
        """Build features once for each pair of half-lives."""
        spans = learning, profile or self.recipe.features.profile_half_life_days
        if spans not in self._learnt:
            weighing = replace(
                self.recipe.features, half_life_days=spans[0], profile_half_life_days=spans[1]
            )
            features = build_features(self._part("features", *spans), self.splits.known, weighing)
            here = features, weighing, self.recipe.popularity
            audiences = {
                name: audience_of(split, *here) for name, split in self.splits.by_protocol.items()
            }
            self._learnt[spans] = Learnt(interactions(features), audiences)
        return self._learnt[spans]

    def _popular(self, learnt: Learnt, half_life_days: float) -> Factors:
        if half_life_days not in self._counted:
            run = self._part("popular", half_life_days)
            self._counted[half_life_days] = count_popularity(
                run, self.splits.known, half_life_days, self.recipe.features
            )
        points = load_popularity(self._counted[half_life_days], learnt.data.item_ids)
        return popularity_column(points)

    def _part(self, name: str, *spans: float) -> Run:
        """Return a smaller night: its folder is named by the half-lives."""
        part = "_".join([name, *(f"{each:g}" for each in spans)])
        return self.splits.run.inside(part, self.splits.run.as_of)

    def _judge(
        self, audience: Audience, scoring: Scoring, judged: Ints, index: ItemIndex | None = None
    ) -> Floats:
        """Return NDCG@10 of all users: 0 for those who are not at the positions `judged`."""
        listing = replace(self.recipe.topn.plain, n=DEPTH)
        lists = np.full((len(audience.rows), DEPTH), -1, np.int32)
        for block in rank(scoring, audience.catalogue, audience.seen[judged], listing, index):
            lists[judged[block.first : block.first + len(block.lengths)]] = block.items
        return ndcg(hits_of(audience, lists), audience.n_relevant, DEPTH)
