"""Exact diverse lists with reasons against implicit's plain top-N, on the same factors.

The peer gets BLAS held to one thread, as it asks, and neither caps categories nor gives reasons.
Prints the users a second of both, and our rate over the peer's last.
"""

import statistics
import time
from collections.abc import Callable
from itertools import chain

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from tasks.lists import Catalogue
from tasks.topn import TopNSettings, rank

N_USERS, N_ITEMS, N_FACTORS, N_CATEGORIES = 20_000, 10_000, 64, 100
SEEN_A_USER = 20
ROUNDS = 5


def main() -> None:
    """Time both, a round each in turn, and print the ratio of the medians."""
    rng = np.random.default_rng(1)
    users = rng.normal(size=(N_USERS, N_FACTORS)).astype(np.float32)
    norms = rng.lognormal(0, 1, N_ITEMS)[:, None]  # long-tailed, as ALS leaves them
    items = (rng.normal(size=(N_ITEMS, N_FACTORS)) * norms).astype(np.float32)
    cells = rng.integers(N_ITEMS, size=(N_USERS, SEEN_A_USER))
    rows = np.repeat(np.arange(N_USERS), SEEN_A_USER)
    seen = sp.csr_matrix((np.ones(cells.size), (rows, cells.ravel())), shape=(N_USERS, N_ITEMS))
    catalogue = _catalogue(rng)
    peer = AlternatingLeastSquares(factors=N_FACTORS)
    peer.user_factors, peer.item_factors = users, items

    def ours() -> object:
        return list(rank(users, items, catalogue, seen, TopNSettings()))

    def theirs() -> object:
        with threadpool_limits(1, "blas"):
            return peer.recommend(np.arange(N_USERS), seen, N=TopNSettings().n)

    ours()  # compile
    times: dict[Callable[[], object], list[float]] = {ours: [], theirs: []}
    for run in chain.from_iterable([ours, theirs] for _ in range(ROUNDS)):
        started = time.perf_counter()
        run()
        times[run].append(time.perf_counter() - started)
    rates = {run: N_USERS / statistics.median(took) for run, took in times.items()}
    print(f"exact, 3 of a category a page: {rates[ours]:,.0f} users/s")
    print(f"implicit, no category rule:    {rates[theirs]:,.0f} users/s")
    print(f"ratio: {rates[ours] / rates[theirs]:.2f}")


def _catalogue(rng: np.random.Generator) -> Catalogue:
    return Catalogue(
        ids=pa.array([f"{item:05d}" for item in range(N_ITEMS)]),
        categories=rng.integers(N_CATEGORIES, size=N_ITEMS).astype(np.int32),
        category_names=[str(category) for category in range(N_CATEGORIES)],
        available=np.ones(N_ITEMS, np.bool_),
    )


if __name__ == "__main__":
    main()
