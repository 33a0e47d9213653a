"""Nights that start from the night before, against nights that train from scratch: time, and NDCG.

On each log a chain of nights, a day apart, ends a month before the log does: the first trains anew,
each later one starts from the one before it, as many as follow one another by default. Beside each,
the same night trains anew. Both are judged by the days that followed (NDCG@10 as the night's own
report defines it). A night alone says little (the error of a mean is some percent), so the figure
is the mean over the chain of every log. The last line is the time of a training anew over that
from the night before.

Logs: the sample shop, and the real ones where they are at hand (NIGHTSHELF_REAL_DATA, or
../shared/data).
"""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

import typer

from data.importers.movielens import import_movielens
from data.importers.online_retail import import_online_retail
from data.sample_shop.shop import Shop, ShopSettings, make_shop
from data.schema import Imported
from tasks.artifacts.records import CleanLog, Features, Made, TrainedModel
from tasks.evaluation.ground_truth import outcome
from tasks.evaluation.past_run import log_until
from tasks.evaluation.ranking_metrics import ndcg
from tasks.features.build import build_features
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import check_inputs
from tasks.models.base import Start
from tasks.models.registry import MODELS
from tasks.models.settings import MODEL_SETTINGS
from tasks.recommend.popularity import popular_lists
from tasks.recommend.topn import top_n
from tasks.runs.run_folder import Run
from tasks.settings import Settings

_DEPTH = 10
_REAL: dict[str, Callable[[Path, Path], Imported]] = {
    "online-retail": import_online_retail,
    "movietweetings-100k": import_movielens,
}
_FILES = {"online-retail": "online-retail/online_retail.csv.gz"}


class Judged(NamedTuple):
    """A night's NDCG@10, and the seconds of its training."""

    ndcg: float
    seconds: float


def main(
    model: Annotated[str, typer.Option(help="Model, by its name in the registry.")] = "als",
    days: Annotated[int, typer.Option(help="Days that lists are judged by.")] = 30,
    seeds: Annotated[int, typer.Option(help="Chains on each log, of other first factors.")] = 1,
) -> None:
    """Print NDCG and seconds of both, and the ratio."""
    times, figures = [], []
    with TemporaryDirectory() as name:
        for log, as_of in logs(Path(name)):
            for seed in range(seeds):
                training = replace(MODEL_SETTINGS[model](Settings()), seed=seed)
                last = as_of - timedelta(days=days)
                pairs = chain(log, last, Path(name) / "runs", model, training)
                anew, warm = (statistics.fmean(each[at].ndcg for each in pairs) for at in (0, 1))
                slow, fast = (statistics.fmean(each[at].seconds for each in pairs) for at in (0, 1))
                print(
                    f"  seed {seed}: NDCG@{_DEPTH} anew {anew:.5f}, warm {warm:.5f} "
                    f"({warm / anew - 1:+.2%}); training {slow:.2f} s, {fast:.2f} s "
                    f"({fast / slow:.0%}); by night "
                    + " ".join(f"{b.ndcg / a.ndcg - 1:+.1%}" for a, b in pairs),
                    flush=True,
                )
                figures.append(warm / anew)
                times.append(slow / fast)
    print(f"NDCG@{_DEPTH}, warm over anew, mean of all: {statistics.fmean(figures):.4f}")
    print(f"ratio: {statistics.median(times):.2f}")


def logs(folder: Path) -> list[tuple[CleanLog, datetime]]:
    """Return clean logs, each with the instant up to which it reaches."""
    data = Path(os.environ.get("NIGHTSHELF_REAL_DATA", "../shared/data"))
    shop = ShopSettings()
    found: list[tuple[str, Shop | Imported, datetime]] = [
        ("sample shop", make_shop(folder / "shop", shop), shop.end)
    ]
    for name, load in _REAL.items():
        source = data / _FILES.get(name, name)
        if source.exists():
            real = load(source, folder / name)
            found.append((name, real, datetime.combine(real.as_of, datetime.min.time(), UTC)))
        else:
            print(f"{source}: not found")
    settings = Settings()
    cleaned = []
    for at, (name, log, as_of) in enumerate(found, 1):
        run = Run("clean", at, as_of, folder / "runs")
        inputs = check_inputs(log.events, log.items, log.users, settings.inputs)
        cleaned.append((clean_events(run, inputs, settings.events, now=as_of), as_of))
        print(f"{at}. {name}: {cleaned[-1][0].n_events:,} events")
    return cleaned


def chain(
    log: CleanLog, last: datetime, root: Path, model: str, training: Any
) -> list[tuple[Judged, Judged]]:
    """Judge each night of a chain, trained anew and from the night before."""
    start = None
    pairs = []
    for n_warm in range(training.cold_every):
        run = Run("night", n_warm + 1, last - timedelta(days=training.cold_every - n_warm), root)
        then = log_until(run, log)
        built = build_features(run, then, Settings().features)
        anew = judge(run.inside("anew", run.as_of), log, then, built, model, training, None)
        warm = judge(run.inside("warm", run.as_of), log, then, built, model, training, start)
        if start:
            pairs.append((anew[0], warm[0]))
        start = Start(run.generation, n_warm, warm[1].settings.parent)
    return pairs


def judge(
    run: Run,
    log: CleanLog,
    then: CleanLog,
    built: Features,
    name: str,
    training: Any,
    start: Start | None,
) -> tuple[Judged, TrainedModel]:
    """Train, make lists, and hold them against what came after."""
    settings = Settings()
    began = time.perf_counter()
    model = MODELS[name].train(run, built, training, start)
    seconds = time.perf_counter() - began
    lists = top_n(run, built, model, settings.topn)
    popular = popular_lists(run, then, built, settings.popularity, settings.topn, settings.features)
    found = outcome(
        run, Made(then, built, {name: model}, {name: lists}, popular), log, settings.features
    )
    return Judged(
        float(ndcg(found.own[lists.path], found.n_relevant, _DEPTH).mean()), seconds
    ), model


if __name__ == "__main__":
    typer.run(main)
