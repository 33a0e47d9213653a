"""Cold items by content: ranks of items that a model never saw, and the cost of showing new ones.

One item in ten of each log is held out of ALS's training, and its factors are predicted from
content. A user who took such items is served if one is among the user's ten best of those held out.
Chance is the same for ten drawn at random. The price of exploration is that of a night some days
ago, judged by the days since: NDCG@10 without and with one explored place a page, the new
(`topn.new_days`) and cold items that the lists show, and the users who took one of them since. The
last line is the hit rate over chance, the median of the logs.
"""

import statistics
from dataclasses import replace
from datetime import timedelta
from math import comb
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import typer

from benchmarks._public_logs import Log, public_logs
from tasks.artifacts.list_tables import read_lists
from tasks.artifacts.records import Features, Made
from tasks.evaluation.ground_truth import outcome
from tasks.evaluation.new_items import NewItems, new_items, taken_since
from tasks.evaluation.past_run import past_night
from tasks.evaluation.ranking_metrics import ndcg
from tasks.features.build import build_features
from tasks.io.columns import positions_of
from tasks.models.als.model import Als
from tasks.models.training import interactions
from tasks.recommend.topn import top_n
from tasks.settings import Settings

Flags = npt.NDArray[np.bool_]
_DEPTH, _HELD_OUT, _SEED = 10, 10, 20260301


def main() -> None:
    """Print hit rates and chance of each log, the price of exploration, and the ratio."""
    ratios = []
    with TemporaryDirectory() as folder:
        for log in public_logs(Path(folder)):
            features = build_features(log.run, log.clean, Settings().features)
            hit, chance, n_users = held_out(features)
            ratios.append(hit / chance)
            print(f"{log.title}: hit rate@10 {hit:.3f}, chance {chance:.3f}, {n_users:,} users")
            if log.days:
                price(log, log.days)
    print(f"ratio: {statistics.median(ratios):.1f}")


def held_out(features: Features) -> tuple[float, float, int]:
    """Return the hit rate@10 of items held out, that of chance, and the number of users."""
    data = interactions(features)
    rng = np.random.default_rng(_SEED)
    n_items = data.strengths.shape[1]
    cold = np.zeros(n_items, np.bool_)
    cold[rng.choice(n_items, n_items // _HELD_OUT, replace=False)] = True
    warm = sp.csr_matrix(data.strengths @ sp.diags_array((~cold).astype(np.float32)))
    warm.eliminate_zeros()
    model = Als.fit(replace(data, strengths=warm, recent=warm), Settings().train)
    taken = (data.strengths[:, cold] > 0).toarray()
    users = np.flatnonzero(taken.any(axis=1) & (np.diff(warm.indptr) > 0))
    taken, n_cold = taken[users], int(cold.sum())
    best = np.argsort(-(model.users[users] @ model.items[cold].T), axis=1)[:, :_DEPTH]
    hits = np.take_along_axis(taken, best, axis=1).any(axis=1)
    draws = comb(n_cold, _DEPTH)
    chance = [1 - comb(n_cold - int(n), _DEPTH) / draws for n in taken.sum(axis=1)]
    return float(hits.mean()), statistics.fmean(chance), len(users)


def price(log: Log, days: int) -> None:
    """Print NDCG@10 and the new and cold items shown, without and with an explored place."""
    settings = Settings()
    recipe = replace(settings.recipe, models={"als": settings.train}, similar=None)
    run = log.run.inside("past", log.run.as_of - timedelta(days=days))
    then = past_night(run, log.clean, recipe)
    found = new_items(run, then.features, settings.topn.new_days)
    for slots in (0, 1):
        listing = replace(settings.topn, explore_slots=slots)
        made = replace(then, lists={"als": top_n(run, then.features, then.model, listing)})
        judged = outcome(run, made, log.clean, settings.features)
        figure = ndcg(judged.own[made.own.path], judged.n_relevant, _DEPTH).mean()
        taken = taken_since(run, made, log.clean, settings.features, found)
        print(
            f"  explored places {slots}: NDCG@10 {figure:.4f}, shown {shown(made, found)}; {taken}"
        )


def shown(made: Made, found: NewItems) -> str:
    """Count the new and the cold items, and those that a list shows."""
    lists = np.zeros(len(found.ids), np.bool_)
    for batch in read_lists(made.own.path, ["item_ids"]):
        names = batch["item_ids"].flatten().dictionary
        lists[positions_of(names, found.ids)] = True
    return ", ".join(
        f"{np.count_nonzero(each & lists):,} of {np.count_nonzero(each):,} {name}"
        for name, each in (("new", found.new), ("cold", found.cold))
    )


if __name__ == "__main__":
    typer.run(main)
