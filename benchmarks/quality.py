"""NDCG@10 of an untouched default night's lists, beside simple baselines, on each log.

By two protocols, by time and last event (`tasks/evaluation/protocols.py`), on the sample shop and
the public logs at hand. Served is what a night with default settings makes of the known part: its
own choice of the blend, made there, and its lists under the category rule; strangers get the
popular list. Baselines, under the same rule: ALS as nights trained it before they chose (alpha 2,
regularization 0.05, 64 factors, half-life 60 days), recent popularity by three half-lives, and
implicit's BM25 item-item. Buckets are users by different items in their history; a bucket of 100
users or more is flagged where it lies under the best popularity by more than its standard error.

The last line is the smallest of served over the best baseline: 1 is as good on every log.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from implicit.nearest_neighbours import BM25Recommender

from benchmarks._public_logs import Log, public_logs
from tasks.artifacts.factors import load_matrix
from tasks.artifacts.scoring import Scoring
from tasks.choose.choice import Choice
from tasks.choose.choose import choose_blend
from tasks.evaluation.judged_lists import (
    Audience,
    audience_of,
    hits_of,
    model_lists,
    popular_lists,
)
from tasks.evaluation.protocols import Split, by_time, last_event
from tasks.evaluation.ranking_metrics import ndcg
from tasks.models.als.train import Loss, fit
from tasks.models.base import in_order
from tasks.models.history import BUCKETS, bucket_of
from tasks.models.registry import MODELS
from tasks.pipeline import Pipeline
from tasks.recommend.settings import TopNSettings
from tasks.runs.run_folder import no_progress
from tasks.settings import Settings

DEPTH = 10
#: Users that judge, at most.
N_USERS = 20_000
_SPANS_DAYS = (3, 7, 60)
#: Fewest users of a bucket that is held against popularity.
_LEAST = 100
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Judged:
    """NDCG@10 of each judged user by what made the lists, the users' buckets, and the choice."""

    figures: Mapping[str, Floats]
    buckets: npt.NDArray[np.int64]
    choice: Choice

    @property
    def best_popularity(self) -> str:
        """Name of the best popular list."""
        spans = [name for name in self.figures if name.startswith("popular")]
        return max(spans, key=lambda name: float(self.figures[name].mean()))

    @property
    def ratio(self) -> float:
        """Served over the best baseline."""
        others = (float(each.mean()) for name, each in self.figures.items() if name != "served")
        return float(self.figures["served"].mean()) / max(others)


def main() -> None:
    """Judge each log by both protocols."""
    ratios = []
    with TemporaryDirectory() as name:
        for log in public_logs(Path(name)):
            for protocol, split in splits(log):
                judged = judge(split)
                print(f"\n{log.title}, {protocol}: {len(judged.buckets):,} users", flush=True)
                print("\n".join(table(judged)), flush=True)
                ratios.append(judged.ratio)
    print(f"\nratio: {min(ratios):.2f}")


def splits(log: Log) -> Iterator[tuple[str, Split]]:
    """Yield the protocols and splits of a log."""
    weighing = Settings().features
    if log.days:
        yield f"last {log.days} days", by_time(log.run, log.clean, weighing, log.days, N_USERS)
    yield "last event", last_event(log.run, log.clean, weighing, N_USERS)


def judge(split: Split) -> Judged:
    """Judge the default night's lists and the baselines, all learnt from the known part."""
    settings = Settings()
    choice = choose_blend(split.run, split.known, settings.choose, settings.recipe, None)
    pipeline = Pipeline(split.run, split.known, choice.applied(settings.recipe))
    features = pipeline.features()
    trained = pipeline.models(features, pipeline.popularity(), warm=False)
    (name, model), *_ = trained.items()
    served = MODELS[name].kind.load(model.settings.parent)
    recipe = pipeline.recipe
    audience = audience_of(split, features, recipe.features, recipe.popularity)
    figures = {"served": _ndcg(audience, model_lists(audience, served.scoring, recipe.topn))}
    figures |= baselines(split, settings)
    strengths = load_matrix(features.interactions)
    n_items = np.diff((strengths > 0).indptr)
    rows = audience.rows
    return Judged(figures, bucket_of(np.where(rows < 0, 0, n_items[rows])), choice)


def baselines(split: Split, settings: Settings) -> dict[str, Floats]:
    """Judge popularity by three half-lives, ALS as it was, and BM25 item-item."""
    found: dict[str, Floats] = {}
    plain = replace(settings.recipe, features=replace(settings.features, half_life_days=60.0))
    run = split.run.inside("baselines", split.run.as_of)
    pipeline = Pipeline(run, split.known, plain)
    features, rule = pipeline.features(), TopNSettings()
    for span in _SPANS_DAYS:
        spanned = replace(settings.popularity, half_life_days=float(span))
        audience = audience_of(split, features, plain.features, spanned)
        found[f"popular, {span} days"] = _ndcg(audience, popular_lists(audience, rule))
    strengths = load_matrix(features.interactions)
    loss = Loss(rate=2.0, dislikes=1.0, regularization=0.05, factors=64)
    users, items = fit(strengths, loss, settings.train.seed, 15, None, no_progress)
    found["ALS before"] = _ndcg(audience, model_lists(audience, Scoring(users, items), rule))
    found["item-item, BM25"] = _ndcg(audience, model_lists(audience, bm25(strengths), rule))
    return found


def bm25(strengths: sp.csr_matrix) -> Scoring:
    """Return implicit's BM25 item-item as a scoring; its links are the 200 largest an item."""
    liked = in_order(strengths.maximum(0))
    peer = BM25Recommender(K=200)
    peer.fit(liked, show_progress=False)
    users, items = (np.zeros((n, 1), np.float32) for n in liked.shape)
    return Scoring(users, items, liked, in_order(peer.similarity))


def table(judged: Judged) -> Iterator[str]:
    """Yield the lines of a log's figures."""
    buckets = [(name, judged.buckets == number) for number, name in enumerate(BUCKETS)]
    shown = [(name, mine) for name, mine in buckets if mine.any()]
    heads = [f"{name} ({int(mine.sum()):,})" for name, mine in shown]
    yield "| lists | NDCG@10 (error) | " + " | ".join(heads) + " |"
    yield "|---" * (2 + len(shown)) + "|"
    for name, figures in judged.figures.items():
        cells = [f"{figures[mine].mean():.4f}" for _, mine in shown]
        yield f"| {name} | {_with_error(figures)} | " + " | ".join(cells) + " |"
    yield ""
    weights = ", ".join(f"{name} {each:g}" for name, each in judged.choice.weights.items())
    spans = ", ".join(f"{name} {days:g}" for name, days in judged.choice.spans.items())
    yield f"Chosen: {weights}; half-lives in days: {spans}."
    if judged.choice.by_history:
        yield f"Own weights by history: {dict(judged.choice.by_history)}."
    served, popular = (judged.figures[name] for name in ("served", judged.best_popularity))
    before = float(judged.figures["ALS before"].mean())
    yield (
        f"Served over ALS before {served.mean() / before:.2f}, over the best popularity "
        f"{served.mean() / popular.mean():.2f}, over the best baseline {judged.ratio:.2f}."
    )
    for name, mine in shown:
        short = float(popular[mine].mean() - served[mine].mean())
        if mine.sum() >= _LEAST and short > served[mine].std() / np.sqrt(mine.sum()):
            yield f"Bucket {name} lies under {judged.best_popularity} by {short:.4f}."


def _ndcg(audience: Audience, lists: npt.NDArray[np.int32]) -> Floats:
    return ndcg(hits_of(audience, lists), audience.n_relevant, DEPTH)


def _with_error(figures: Floats) -> str:
    return f"{figures.mean():.4f} ({figures.std() / np.sqrt(len(figures)):.4f})"


if __name__ == "__main__":
    main()
