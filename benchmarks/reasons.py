"""The cost of reasons: as a share of the top-N step, and against implicit's own `explain`.

On a generated log with a long tail, and on the real shop log where it is at hand
(NIGHTSHELF_REAL_DATA, or ../shared/data). The parts of the step run one after another here, and
count the CPU seconds of all threads, which other work on the machine disturbs least; the step
itself overlaps them, and is timed by the clock. implicit explains an item at a time: it is timed
on some users' lists and extrapolated by the number of items. Its best item is compared with ours.
What a user has seen counts as the history, each item at the weight of the log's matrix.
The last line is implicit's time over ours, on the generated log.
"""

import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import typer
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from benchmarks._trained import REAL, Case, generated, real
from tasks.artifacts.records import LIST_SCHEMA
from tasks.io.parquet import write_parquet
from tasks.models.als.explain import Explainer
from tasks.models.als.train import Loss, confidence
from tasks.recommend.exact_search import Block, rank
from tasks.recommend.settings import TopNSettings
from tasks.recommend.topn import list_rows

R = TypeVar("R")
Because = npt.NDArray[np.int32]

SHOP = "online-retail/online_retail.csv.gz"


def main(
    users: Annotated[int, typer.Option(help="Users of the generated log.")] = 100_000,
    items: Annotated[int, typer.Option(help="Items of the generated log.")] = 20_000,
    events: Annotated[int, typer.Option(help="Events of the generated log.")] = 2_500_000,
    sample: Annotated[int, typer.Option(help="Users whose lists implicit explains.")] = 50,
) -> None:
    """Print the share of each part of the step, and the ratio."""
    warnings.filterwarnings("ignore", message="OpenBLAS is configured", category=RuntimeWarning)
    root = Path(os.environ.get("NIGHTSHELF_REAL_DATA", "../shared/data"))
    with TemporaryDirectory() as folder:
        if (root / SHOP).exists():
            log = REAL[SHOP](root / SHOP, Path(folder) / "log")
            measure(real("online-retail", log, Path(folder), sample), Path(folder))
        else:
            print(f"{SHOP}: not found in {root}")
        ratio = measure(generated(users, items, events, sample), Path(folder))
    print(f"ratio: {ratio:.0f}")


def measure(case: Case, folder: Path) -> float:
    """Print what each part takes; return implicit's seconds for all reasons over ours."""
    n_history = np.diff(case.seen.indptr)
    print(
        f"{case.name}: {len(case.users):,} users x {len(case.items):,} items, "
        f"histories of {n_history.mean():.0f} items on average, {n_history.max():,} at most"
    )
    ids = pa.array([f"u{number:07}" for number in range(len(case.users))])
    training = Loss(2.0, 1.0, 0.05, case.items.shape[1])
    explain = Explainer.of(case.seen, case.items, training)
    warm_up(case, explain)
    took: dict[str, float] = {}
    blocks = timed(took, "rank", lambda: list(ranked(case)))
    with threadpool_limits(1, "blas"):
        reasons = timed(took, "reasons", lambda: [explained(explain, block) for block in blocks])
    batches = timed(
        took,
        "batches",
        lambda: [
            list_rows(ids, case.catalogue, block, because, None)
            for block, because in zip(blocks, reasons, strict=True)
        ],
    )
    path = folder / "lists.parquet"
    timed(took, "writing", lambda: write_parquet(path, LIST_SCHEMA, batches))
    for name, seconds in took.items():
        each = seconds / len(case.users) * 1e6
        print(f"  {name:9}{each:>8.1f} us a user{seconds / sum(took.values()):>8.1%}")
    listed = np.concatenate([block.items for block in blocks])
    theirs = of_implicit(case, training, listed, np.concatenate(reasons))
    n_listed = sum(int(block.lengths.sum()) for block in blocks)
    print(f"  implicit's explain: {theirs * 1e6:.0f} us an item listed, on a sample")
    return theirs * n_listed / took["reasons"]


def ranked(case: Case) -> list[Block]:
    """Rank all users of a case."""
    return list(rank(case.scoring, case.catalogue, case.seen, TopNSettings()))


def explained(explain: Explainer, block: Block) -> Because:
    """Find the reasons of a block."""
    return explain(block.first, block.items, block.lengths)


def warm_up(case: Case, explain: Explainer) -> None:
    """Compile."""
    rows = np.arange(min(100, len(case.users)))
    few = rank(case.scoring.of(rows), case.catalogue, case.seen[rows], TopNSettings())
    for block in few:
        explained(explain, block)


def timed(took: dict[str, float], name: str, work: Callable[[], R]) -> R:
    """Do some work, and note its CPU seconds."""
    started = time.process_time()
    result = work()
    took[name] = time.process_time() - started
    return result


def of_implicit(case: Case, training: Loss, listed: Because, ours: Because) -> float:
    """Return implicit's seconds an item listed, on the sample; its answers must be ours."""
    peer = AlternatingLeastSquares(
        factors=case.items.shape[1], regularization=training.regularization
    )
    peer.user_factors, peer.item_factors = case.users, case.items
    history = confidence(case.seen, training.rate)
    n_explained, n_same, seconds = 0, 0, 0.0
    for user in case.sample.tolist():
        items = [item for item in listed[user].tolist() if item >= 0]
        with threadpool_limits(1, "blas"):
            started = time.process_time()
            weights, found = None, []
            for item in items:
                _, pairs, weights = peer.explain(user, history, item, user_weights=weights, N=2)
                found.append(pairs)
            seconds += time.process_time() - started
        for because, pairs in zip(ours[user].tolist(), found, strict=False):
            near = {at for at, share in pairs if share >= pairs[0][1] * (1 - 1e-4)}
            if because not in near and pairs[0][1] > 0:
                raise SystemExit(f"user {user}: the reason is {because}, not one of {near}")
            n_same += because == pairs[0][0]
        n_explained += len(items)
    print(
        f"  {n_same / n_explained:.3%} of {n_explained:,} reasons are implicit's, the rest near it"
    )
    return seconds / n_explained


if __name__ == "__main__":
    typer.run(main)
