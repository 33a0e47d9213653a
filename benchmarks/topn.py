"""Exact diverse lists against implicit's plain top-N and the bare matrix product, on ALS factors.

The factors come from training: on a generated log with a long tail, and on the real logs where
they are at hand (NIGHTSHELF_REAL_DATA, or ../shared/data). Each round times all contestants, one
after another; rates are medians over the rounds, in users a second:

- exact: `rank`, 50 items, at most 3 of a category a page, all users;
- implicit, BLAS 1: `recommend`, 50 items, no category rule, BLAS held to one thread as it asks;
- implicit: the same with BLAS as it comes;
- RecTools: its own `recommend`, likewise, where it is installed (`benchmarks/_rectools.py`);
- product: every score once (float32, blocks of users, our threads), and nothing done with it.

The peers get a random sample of the users. Without a category rule our lists must be implicit's,
and RecTools' are; both are checked. The last line is our rate over implicit's with BLAS held to
one thread.
"""

import os
import statistics
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp
import typer
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from benchmarks._rectools import rectools
from data.importers.movielens import import_movielens
from data.importers.online_retail import import_online_retail
from data.schema import Imported
from tasks.artifacts.catalogue import Catalogue, load_catalogue
from tasks.artifacts.factors import Factors, load_factors, load_matrix
from tasks.artifacts.scoring import Scoring
from tasks.features.build import build_features
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import check_inputs
from tasks.models.registry import train_als
from tasks.recommend.exact_search import Block, rank
from tasks.recommend.settings import TopNSettings
from tasks.runs.run_folder import Run
from tasks.settings import Settings

Work = Callable[[], object]

N_CATEGORIES = 200
REAL: dict[str, Callable[[Path, Path], Imported]] = {
    "movielens-latest-small-2016": import_movielens,
    "movietweetings-100k": import_movielens,
    "online-retail/online_retail.csv.gz": import_online_retail,
}


@dataclass(frozen=True)
class Case:
    """Trained factors, what each user has seen, and a sample of users for the peers."""

    name: str
    users: Factors
    items: Factors
    seen: sp.csr_matrix
    catalogue: Catalogue
    sample: npt.NDArray[np.int64]

    @property
    def scoring(self) -> Scoring:
        """The dense score."""
        return Scoring(self.users, self.items)


def main(
    users: Annotated[int, typer.Option(help="Users of the generated log.")] = 200_000,
    items: Annotated[int, typer.Option(help="Items of the generated log.")] = 50_000,
    events: Annotated[int, typer.Option(help="Events of the generated log.")] = 5_000_000,
    sample: Annotated[int, typer.Option(help="Users that the peers are timed on.")] = 10_000,
    rounds: Annotated[int, typer.Option(help="Rounds of the generated log.")] = 5,
) -> None:
    """Time all contestants on each log, and print the ratios."""
    warnings.filterwarnings("ignore", message="OpenBLAS is configured", category=RuntimeWarning)
    root = Path(os.environ.get("NIGHTSHELF_REAL_DATA", "../shared/data"))
    for name, importer in REAL.items():
        if (root / name).exists():
            with TemporaryDirectory() as folder:
                imported = importer(root / name, Path(folder) / "log")
                compare(real(name.split("/")[0], imported, Path(folder), sample), rounds)
        else:
            print(f"{name}: not found in {root}")
    ratio = compare(generated(users, items, events, sample), rounds)
    print(f"ratio: {ratio:.2f}")


def compare(case: Case, rounds: int) -> float:
    """Print the rates on one log; return ours over implicit's with BLAS held to one thread."""
    peer = AlternatingLeastSquares(factors=case.items.shape[1])
    peer.user_factors, peer.item_factors = case.users, case.items
    mine = case.seen[case.sample]

    def exact() -> object:
        return list(rank(case.scoring, case.catalogue, case.seen, TopNSettings()))

    def implicit() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        found: tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]] = peer.recommend(
            case.sample, mine, N=TopNSettings().n
        )
        return found

    def implicit_one() -> object:
        with threadpool_limits(1, "blas"):
            return implicit()

    contestants: dict[str, tuple[Work, int]] = {
        "exact": (exact, len(case.users)),
        "implicit, BLAS 1": (implicit_one, len(case.sample)),
        "implicit": (implicit, len(case.sample)),
        "product": (lambda: product(case.users[case.sample], case.items), len(case.sample)),
    }
    print(f"{case.name}: {len(case.users):,} users x {len(case.items):,} items")
    check(case, *implicit())
    if theirs := rectools(case.users[case.sample], case.items, mine, TopNSettings().n):
        contestants["RecTools"] = theirs, len(case.sample)
        check_rectools(theirs(), *implicit())
    else:
        print("  RecTools is not installed: not compared")
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, (work, _) in contestants.items():
            started = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - started)
    rates = {name: n / statistics.median(times[name]) for name, (_, n) in contestants.items()}
    for name, rate in rates.items():
        print(f"  {name:17}{rate:>10,.0f} users/s{rates['exact'] / rate:>8.2f} x")
    return rates["exact"] / rates["implicit, BLAS 1"]


def check(case: Case, found: npt.NDArray[np.int32], scores: npt.NDArray[np.float32]) -> None:
    """Compare with implicit's own answer where no rule sets the two apart.

    Items may change places only where their scores agree to what float32 can tell.
    """
    free = Catalogue(
        case.catalogue.ids, case.catalogue.categories, case.catalogue.category_names,
        np.ones(len(case.items), np.bool_),
    )  # fmt: skip
    settings = TopNSettings(max_per_category=TopNSettings().page_size)
    blocks: list[Block] = list(
        rank(case.scoring.of(case.sample), free, case.seen[case.sample], settings)
    )
    ours = np.concatenate([block.items for block in blocks])
    exact = np.concatenate([block.scores for block in blocks])
    shown = ours >= 0
    near = np.abs(exact - scores)[shown] <= 1e-5 * np.abs(exact).max(axis=1).repeat(shown.sum(1))
    if not near.all():
        raise SystemExit(f"{case.name}: {(~near).sum()} scores are not implicit's")
    same = (ours == found)[shown].mean()
    print(f"  without a category rule {same:.4%} of places hold implicit's item, the rest are ties")


def check_rectools(
    theirs: npt.NDArray[np.int64], found: npt.NDArray[np.int32], scores: npt.NDArray[np.float32]
) -> None:
    """Compare RecTools' items with implicit's, which scores what was seen lowest of all."""
    wanted = found[scores > np.finfo(np.float32).min]
    if len(theirs) != len(wanted):
        raise SystemExit(f"RecTools lists {len(theirs):,} items, implicit {len(wanted):,}")
    same = (theirs == wanted).mean()
    print(f"  {same:.4%} of RecTools' places hold implicit's item")


def product(users: Factors, items: Factors) -> None:
    """Compute every score once, in blocks of users, as many at a time as there are cores."""
    workers = os.cpu_count() or 1

    def stripe(worker: int) -> None:
        scores = np.empty((512, len(items)), np.float32)
        for first in range(512 * worker, len(users), 512 * workers):
            block = users[first : first + 512]
            np.matmul(block, items.T, out=scores[: len(block)])

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers) as pool:
        list(pool.map(stripe, range(workers)))


def real(name: str, log: Imported, folder: Path, sample: int) -> Case:
    """Train on an imported log as the night after its last event does."""
    settings = Settings()
    as_of = datetime.combine(log.as_of, datetime.min.time(), UTC)
    run = Run("benchmark", 1, as_of, folder / "runs")
    inputs = check_inputs(log.events, log.items, log.users, settings.inputs)
    clean = clean_events(run, inputs, settings.events, now=as_of)
    features = build_features(run, clean, settings.features)
    model = train_als(run, features, settings.train)
    (_, users), (item_ids, items) = map(load_factors, (model.user_factors, model.item_factors))
    return Case(
        name=name,
        users=users,
        items=items,
        seen=load_matrix(features.seen),
        catalogue=load_catalogue(features.items, item_ids),
        sample=choose(np.random.default_rng(1), len(users), sample),
    )


def generated(n_users: int, n_items: int, n_events: int, sample: int) -> Case:
    """Train briefly on a log in which few items and few users have most of the events.

    An item's popularity falls with its rank to the power of -0.9; a user's activity is Pareto
    distributed. Three events in ten follow popularity alone, the others one of the user's three
    tastes, each a category, and popularity within it.
    """
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.ones(N_CATEGORIES))
    category = np.sort(rng.choice(N_CATEGORIES, n_items, p=shares)).astype(np.int32)
    total = np.cumsum(rng.permutation(np.arange(1.0, n_items + 1) ** -0.9))
    activity = rng.pareto(1.5, n_users) + 1
    user = rng.choice(n_users, n_events, p=activity / activity.sum())
    tastes = rng.choice(category, (n_users, 3))  # so that no taste is an empty category
    taste = tastes[user, rng.choice(3, n_events, p=[0.6, 0.3, 0.1])]
    below = np.concatenate(([0.0], total))
    low = below[np.searchsorted(category, taste)]
    high = below[np.searchsorted(category, taste, "right")]
    anything = rng.random(n_events) < 0.3
    low[anything], high[anything] = 0.0, total[-1]
    item = np.searchsorted(total, low + rng.random(n_events) * (high - low), "right")
    shuffle = rng.permutation(n_items)
    cells = (user, shuffle[np.minimum(item, n_items - 1)])
    counts = sp.csr_matrix((np.ones(n_events, np.float32), cells), shape=(n_users, n_items))
    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(factors=64, iterations=8, random_state=1)
        als.fit(counts, show_progress=False)
    catalogue = Catalogue(
        ids=pa.array([f"{number:05d}" for number in range(n_items)]),
        categories=category[np.argsort(shuffle)],
        category_names=[str(number) for number in range(N_CATEGORIES)],
        available=np.ones(n_items, np.bool_),
    )
    chosen = choose(rng, n_users, sample)
    return Case("generated", als.user_factors, als.item_factors, counts, catalogue, chosen)


def choose(rng: np.random.Generator, n_users: int, sample: int) -> npt.NDArray[np.int64]:
    """Choose users at random, in order."""
    return np.sort(rng.choice(n_users, min(sample, n_users), replace=False))


if __name__ == "__main__":
    typer.run(main)
