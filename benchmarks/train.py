"""Training of iALS against ALS by implicit, and the reasons of both, on a generated log.

The log has a long tail (`benchmarks/_trained.py`). Both models train from scratch, in turn, with
their default settings but for the number of factors. Reasons are of lists of 50 items at random, in
CPU time. The last line is the median time of ALS over that of iALS, each with its own number of
iterations.
"""

import statistics
import time
from typing import Annotated

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
import typer
from threadpoolctl import threadpool_limits

from benchmarks._trained import generated
from tasks.models.als.model import Als
from tasks.models.base import Histories, Interactions, Model
from tasks.models.ials.model import Ials

KINDS: dict[str, type[Model]] = {"als": Als, "ials": Ials}


def main(
    users: Annotated[int, typer.Option(help="Users of the generated log.")] = 100_000,
    items: Annotated[int, typer.Option(help="Items of the generated log.")] = 20_000,
    events: Annotated[int, typer.Option(help="Events of the generated log.")] = 2_000_000,
    factors: Annotated[int, typer.Option(help="Length of a factor vector of either.")] = 64,
    rounds: Annotated[int, typer.Option(help="Trainings of each.")] = 3,
) -> None:
    """Time the models in turn, and print the ratio."""
    counts = generated(users, items, events, 1).seen
    user_ids, item_ids = (pa.array([f"{number:07}" for number in range(n)]) for n in (users, items))
    data = Interactions(counts, counts, user_ids, item_ids, np.zeros(items))
    print(f"{users:,} users x {items:,} items, {counts.nnz:,} interactions")
    seconds: dict[str, list[float]] = {name: [] for name in KINDS}
    for number in range(rounds + 1):
        for name, kind in KINDS.items():
            took, model = train(kind, data, factors)
            if number:  # the first compiles
                seconds[name].append(took)
                print(
                    f"  {name:5}{took:>7.1f} s, {took / model.n_iterations:.2f} s an iteration; "
                    f"reasons {explain(model, counts) * 1e6:.0f} us of CPU a user",
                    flush=True,
                )
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    print(f"ratio: {medians['als'] / medians['ials']:.2f}")


def train(kind: type[Model], data: Interactions, factors: int) -> tuple[float, Model]:
    """Train from scratch; return the seconds and the model."""
    began = time.perf_counter()
    model = kind.fit(data, kind.Settings(factors=factors))
    return time.perf_counter() - began, model


def explain(model: Model, counts: sp.csr_matrix) -> float:
    """Return the CPU seconds a user that the reasons of some users' lists take."""
    rng = np.random.default_rng(1)
    listed = rng.integers(0, counts.shape[1], (min(5_000, counts.shape[0]), 50), np.int32)
    began = time.process_time()
    with threadpool_limits(1, "blas"):
        model.reasons(Histories(counts, counts))(0, listed, np.full(len(listed), listed.shape[1]))
    return (time.process_time() - began) / len(listed)


if __name__ == "__main__":
    typer.run(main)
