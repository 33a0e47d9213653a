"""Exact diverse lists against implicit's plain top-N and the bare matrix product.

The factors come from training: on a generated log with a long tail, and on the real logs where
they are at hand (NIGHTSHELF_REAL_DATA, or ../shared/data). Each round times all contestants, one
after another; rates are medians over the rounds, in users a second:

- als: `rank` of ALS factors, 50 items, at most 3 of a category a page, all users;
- blend: the same of ALS + item-item (SLIM) + popularity;
- implicit, BLAS 1: `recommend`, 50 items, no category rule, BLAS held to one thread as it asks;
- implicit: the same with BLAS as it comes;
- RecTools: its own `recommend`, likewise, where it is installed (`benchmarks/_rectools.py`);
- product: every score once (float32, blocks of users, our threads), and nothing done with it.

The peers get ALS's factors alone, and a random sample of the users. Without a category rule our
lists must be implicit's, and RecTools' are; a sample of blended lists must be the plain walk's over
all scores. All are checked. The last two lines are our rates over implicit's with BLAS held to one
thread, on the generated log: `ratio of the blend` and, for ALS, `ratio`.
"""

import os
import statistics
import time
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from benchmarks._rectools import rectools
from benchmarks._trained import REAL, Case, blended, generated, real
from tasks.artifacts.catalogue import Catalogue
from tasks.artifacts.factors import Factors
from tasks.artifacts.scoring import Scoring
from tasks.recommend.exact_search import Block, rank
from tasks.recommend.settings import TopNSettings

Work = Callable[[], object]


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
    als, blend = compare(generated(users, items, events, sample), rounds)
    print(f"ratio of the blend: {blend:.2f}")
    print(f"ratio: {als:.2f}")


def compare(case: Case, rounds: int) -> tuple[float, float]:
    """Print the rates on one log; return als's and blend's over implicit's with one BLAS thread."""
    peer = AlternatingLeastSquares(factors=case.items.shape[1])
    peer.user_factors, peer.item_factors = case.users, case.items
    mine = case.seen[case.sample]

    blend = blended(case)

    def exact(scoring: Scoring) -> object:
        return list(rank(scoring, case.catalogue, case.seen, TopNSettings()))

    def implicit() -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        found: tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]] = peer.recommend(
            case.sample, mine, N=TopNSettings().n
        )
        return found

    def implicit_one() -> object:
        with threadpool_limits(1, "blas"):
            return implicit()

    contestants: dict[str, tuple[Work, int]] = {
        "als": (lambda: exact(case.scoring), len(case.users)),
        "blend": (lambda: exact(blend), len(case.users)),
        "implicit, BLAS 1": (implicit_one, len(case.sample)),
        "implicit": (implicit, len(case.sample)),
        "product": (lambda: product(case.users[case.sample], case.items), len(case.sample)),
    }
    print(f"{case.name}: {len(case.users):,} users x {len(case.items):,} items")
    check(case, *implicit())
    check_blend(case, blend)
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
        print(f"  {name:17}{rate:>10,.0f} users/s{rates['als'] / rate:>8.2f} x")
    peer_rate = rates["implicit, BLAS 1"]
    return rates["als"] / peer_rate, rates["blend"] / peer_rate


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


def check_blend(case: Case, blend: Scoring) -> None:
    """Compare the lists of up to 200 users with the plain walk over all scores."""
    sample, rules = case.sample[:: -(-len(case.sample) // 200)], TopNSettings()
    blocks = rank(blend.of(sample), case.catalogue, case.seen[sample], rules)
    ours = [row[row >= 0].tolist() for block in blocks for row in block.items]
    for user, found in zip(sample, ours, strict=True):
        scores, taken = blend.scores(user), Counter[int]()
        shown = case.catalogue.available.copy()
        shown[case.seen[user].indices] = False
        listed: list[int] = []
        for item in np.argsort(-scores, kind="stable").tolist():
            if len(listed) == rules.n:
                break
            category = int(case.catalogue.categories[item])
            if shown[item] and taken[category] < rules.max_per_category:
                listed.append(item)
                taken[category] += category != case.catalogue.uncapped
                if len(listed) % rules.page_size == 0:
                    taken.clear()
        if found != listed:
            raise SystemExit(
                f"{case.name}: the blended list of user {user} is not the plain walk's"
            )
    print(f"  blended lists of {len(ours)} users are the plain walk's over all scores")


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


if __name__ == "__main__":
    typer.run(main)
