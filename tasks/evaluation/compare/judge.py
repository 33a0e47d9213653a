"""Judge models by a split: each under each rule, popular items beside them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from tasks.artifacts.factors import load_matrix
from tasks.artifacts.records import Features, TrainedModel
from tasks.artifacts.scoring import Scoring
from tasks.evaluation.compare import figures as of
from tasks.evaluation.compare.groups import by_history, by_segment
from tasks.evaluation.compare.one_against import candidates_of, hits_among, scores_of
from tasks.evaluation.compare.results import Groups, Row
from tasks.evaluation.compare.rules import CATEGORY_CAP, SCORE, is_served, rules_of
from tasks.evaluation.judged_lists import (
    Audience,
    Listed,
    audience_of,
    hits_of,
    model_lists,
    popular_lists,
    popularity_of,
    rows_of,
)
from tasks.evaluation.protocols import Split
from tasks.io.columns import AVAILABLE
from tasks.models.blend.model import Blend
from tasks.models.registry import MODELS
from tasks.recipe import Recipe
from tasks.recommend.settings import TopNSettings
from tasks.runs.run_folder import Progress, no_progress

POPULAR = "popular"
Figures = dict[str, of.PerUser]


@dataclass(frozen=True, eq=False)
class Panel:
    """The judged users with all that figures of their lists need.

    - `taken`: users x items, the items that each user is known for.
    - `popularity`: users who took each item in the known part.
    - `n_available`: available items of the catalogue.
    - `buckets`, `segments`: flags of the users of each.
    - `seed`: of the resamples and of the random candidates.
    """

    audience: Audience
    taken: sp.csr_matrix
    popularity: npt.NDArray[np.int64]
    n_available: int
    buckets: Mapping[str, of.Bools]
    segments: Mapping[str, of.Bools]
    seed: int


def panel_of(split: Split, features: Features, recipe: Recipe, seed: int) -> Panel:
    """Return the judged users of a split by the features of its known part."""
    audience = audience_of(split, features, recipe.features, recipe.popularity)
    interactions = load_matrix(features.interactions)
    taken = rows_of(interactions, audience.rows)
    available = pq.read_table(features.items, columns=[AVAILABLE]).column(AVAILABLE)
    return Panel(
        audience=audience,
        taken=taken,
        popularity=np.bincount(interactions.indices, minlength=features.n_items),
        n_available=pc.sum(available).as_py() or 0,
        buckets=by_history(np.diff(taken.indptr)),
        segments=by_segment(features, audience.user_ids),
        seed=seed,
    )


def judge_lists(
    panel: Panel,
    models: Mapping[str, TrainedModel],
    settings: TopNSettings,
    *,
    every_rule: bool = False,
    progress: Progress = no_progress,
) -> tuple[Row, ...]:
    """Judge the lists of popular items and of each model under each rule."""
    audience, rules = panel.audience, rules_of(settings, every=every_rule)
    rows: list[Row] = []
    by_score: dict[str, of.PerUser] = {}
    for model, rule, lists in _all_lists(audience, models, rules):
        hits = hits_of(audience, lists)
        found = of.ranking_figures(hits, audience.n_relevant, settings.n)
        by_score.setdefault(model, found[of.NDCG])
        found |= of.list_figures(audience, lists, panel.popularity)
        coverage = of.coverage_of(audience, lists, panel.n_available)
        served = is_served(rules[rule], settings)
        rows.append(
            _row(panel, Row(model, rule, served=served, coverage=coverage), found, by_score)
        )
        progress(len(rows), max(len(rows), 3 * len(rules) + 2))
    return tuple(rows)


def judge_among(panel: Panel, models: Mapping[str, TrainedModel]) -> tuple[Row, ...]:
    """Judge each model by the place of a user's relevant item among 99 random ones."""
    candidates = candidates_of(panel.audience, panel.taken, panel.seed)
    popular = scores_of(popularity_of(panel.audience), candidates)
    rows: list[Row] = []
    by_score: dict[str, of.PerUser] = {}
    for model, scoring in [(POPULAR, None), *scorings_of(models)]:
        scores = popular
        if scoring:
            own = scores_of(scoring.of(np.maximum(panel.audience.rows, 0)), candidates)
            scores = np.where(panel.audience.rows[:, None] < 0, popular, own)
        hits = hits_among(scores, candidates)
        found = of.ranking_figures(hits, np.ones(len(hits), np.int64), of.DEPTH)
        by_score[model] = found[of.NDCG]
        rows.append(_row(panel, Row(model, SCORE, served=False), found, by_score))
    return tuple(rows)


def _all_lists(
    audience: Audience, models: Mapping[str, TrainedModel], rules: Mapping[str, TopNSettings]
) -> Iterator[tuple[str, str, Listed]]:
    """Yield model, rule and lists; the popular ones under the category rule at most."""
    for rule in (SCORE, CATEGORY_CAP):
        if rule in rules:
            yield POPULAR, rule, popular_lists(audience, rules[rule])
    for model, scoring in scorings_of(models):
        for rule, settings in rules.items():
            yield model, rule, model_lists(audience, scoring, settings)


def scorings_of(models: Mapping[str, TrainedModel]) -> Iterator[tuple[str, Scoring]]:
    """Yield the scores of each model but `popular`, for all users of the features.

    A blend comes after those of its parts that are no models by themselves.
    """
    for name, trained in models.items():
        if name == POPULAR:
            continue  # the popular lists are judged beside every model
        model = MODELS[name].kind.load(trained.settings.parent)
        if isinstance(model, Blend):
            for part in (model.als, model.graph):
                if (own := type(part).__name__.lower()) not in models:
                    yield own, part.scoring
        yield name, model.scoring


def _row(panel: Panel, row: Row, found: Figures, by_score: Mapping[str, of.PerUser]) -> Row:
    """Return the row with the figures of all judged users and of each group."""
    figures = {
        ("", "price"): of.less(found[of.NDCG], by_score[row.model]),
        ("", "over_popular"): of.less(found[of.NDCG], by_score[POPULAR]),
        **{("", name): figure for name, figure in found.items()},
        **{
            (f"{kind}:{group}", name): found[name].among(flags)
            for kind, groups in (("buckets", panel.buckets), ("segments", panel.segments))
            for group, flags in groups.items()
            for name in of.BY_GROUP
        },
    }
    means = of.means_of(figures, panel.seed)

    def grouped(kind: str, groups: Mapping[str, of.Bools]) -> Groups:
        return {
            group: {name: means[f"{kind}:{group}", name] for name in of.BY_GROUP}
            for group in groups
        }

    return replace(
        row,
        price=means["", "price"],
        over_popular=means["", "over_popular"],
        figures={name: means["", name] for name in found},
        buckets=grouped("buckets", panel.buckets),
        segments=grouped("segments", panel.segments),
    )
