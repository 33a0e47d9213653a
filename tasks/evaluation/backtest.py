"""Offline quality: lists as of some days ago, judged by the events since.

The night is computed once more, as it was `backtest_days` ago (`tasks/evaluation/past_run.py`), and
held against the days that followed (`tasks/evaluation/ground_truth.py`). Why so:
docs/decisions/0017-offline-metric.md.
"""

import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import orjson

from tasks.artifacts.records import CleanLog, Made
from tasks.errors import NothingToLearn
from tasks.evaluation.ground_truth import outcome
from tasks.evaluation.new_items import new_items, taken_since
from tasks.evaluation.past_run import past_night
from tasks.evaluation.ranking_metrics import Floats, Hits, Ints, at_depth, ndcg
from tasks.evaluation.settings import EvaluateSettings
from tasks.recipe import Recipe
from tasks.recommend.topn import top_n
from tasks.runs.journal import computed
from tasks.runs.run_folder import Run

#: Places that are judged beside the whole list: what a first page shows.
DEPTH = 10


@dataclass(frozen=True)
class Quality:
    """Offline quality of lists as of `cut` (ISO 8601), `backtest_days` ago.

    - `n_users`, `n_relevant`: judged users, and items that they were to be shown; where there are
      none, there are no figures.
    - `lists`, `popularity`: means over the judged users, 0 to 1, of `ndcg_at_10`, `recall_at_10`,
      `hit_rate_at_10`, `reciprocal_rank_at_10`, and the same at the length of a list. Popularity is
      that day's list `all`, less what each user had seen.
    - `new_items`: users who took an item that was new or cold at the cut, and the share of them
      whose list held one (`tasks/evaluation/new_items.py`); empty where there are none.
    - `plain`: the same for own lists without the rules that trade; empty where none does.
    - `ndcg_error`, `ahead_error`: the standard errors of the lists' `ndcg_at_10`, and of its paired
      difference to the popular list's.
    - `model`: the digest of the factors that were judged.
    - `path`: all this as JSON.
    """

    backtest_days: int
    cut: str
    path: Path
    n_users: int = 0
    n_relevant: int = 0
    lists: dict[str, float] = field(default_factory=dict)
    popularity: dict[str, float] = field(default_factory=dict)
    plain: dict[str, float] = field(default_factory=dict)
    new_items: dict[str, float] = field(default_factory=dict)
    ndcg_error: float = 0.0
    ahead_error: float = 0.0
    model: str = ""


@computed
def evaluate(run: Run, log: CleanLog, settings: EvaluateSettings, recipe: Recipe) -> Quality:
    """Judge the lists of `backtest_days` ago (1 at least); `backtest/` keeps figures and journal.

    A log that is younger than that gives no figures, and is no reason to fail the night.
    """
    past = run.inside("backtest", run.as_of - timedelta(days=settings.backtest_days))
    quality = Quality(settings.backtest_days, past.as_of.isoformat(), past.path("quality.json"))
    with suppress(NothingToLearn):
        quality = _judged(quality, past, past_night(past, log, recipe), log, recipe)
    facts = {name: value for name, value in asdict(quality).items() if name != "path"}
    quality.path.write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2) + b"\n")
    for folder in (path for path in past.folder.iterdir() if path.is_dir()):
        shutil.rmtree(folder)
    return quality


def _judged(blank: Quality, run: Run, then: Made, log: CleanLog, recipe: Recipe) -> Quality:
    """Fill in the figures of the past night's lists."""
    bare = recipe.topn.plain
    others = []
    if bare != recipe.topn:
        aside = run.inside("plain", run.as_of)
        others.append(top_n(aside, then.features, then.model, bare).path)
    found = outcome(run, then, log, recipe.features, *others)
    n_relevant, own = found.n_relevant, found.own[then.own.path]
    if not len(n_relevant):
        return blank
    depths = sorted({DEPTH, recipe.topn.n})
    lists, popular = (ndcg(hits, n_relevant, DEPTH) for hits in (own, found.popularity))
    return replace(
        blank,
        n_users=len(n_relevant),
        n_relevant=int(n_relevant.sum()),
        lists=_means(own, n_relevant, depths),
        popularity=_means(found.popularity, n_relevant, depths),
        plain=_means(found.own[others[0]], n_relevant, depths) if others else {},
        new_items=taken_since(
            run, then, log, recipe.features, new_items(run, then.features, recipe.topn.new_days)
        ),
        ndcg_error=_standard_error(lists),
        ahead_error=_standard_error(lists - popular),
        model=then.model.digest,
    )


def _means(hits: Hits, n_relevant: Ints, depths: list[int]) -> dict[str, float]:
    return {
        f"{name}_at_{k}": float(figures.mean())
        for k in depths
        for name, figures in at_depth(hits, n_relevant, k).items()
    }


def _standard_error(figures: Floats) -> float:
    return float(figures.std() / np.sqrt(len(figures)))
