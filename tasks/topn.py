"""Exact, diverse top-N lists: what every user gets, defined rather than approximated.

A list walks all items in order of descending score (ties by item id), skips what the user has
seen, what is unavailable and what its category has no room for in the page, and stops at N.
"""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from pydantic import Field, PositiveInt
from threadpoolctl import threadpool_limits

from tasks.kernel_bounds import Stock, arrange, gather
from tasks.kernel_desk import Rules, open_desk, rules_for
from tasks.kernel_lists import TILE_USERS, list_block
from tasks.lists import Catalogue, list_batch, load_catalogue
from tasks.parquet import write_parquet
from tasks.reasons import NOTHING, Explainer
from tasks.records import LIST_SCHEMA, Features, Lists, Model
from tasks.run import Progress, Run, computed, no_progress
from tasks.train import Factors, TrainSettings, load_factors, load_matrix

#: Users a block: enough for BLAS to run at its rate, few enough that all cores get some.
_BLOCK_USERS = 512


@dataclass(frozen=True)
class TopNSettings:
    """How long a list is, and how diverse.

    - `n`: items a list, 1 to 1,000.
    - `page_size`, `max_per_category`: at most so many of a category in each page of so many.
    - `max_bytes`: memory for scores and candidates, over all threads; each holds one user's at
      least.
    """

    n: Annotated[int, Field(ge=1, le=1_000)] = 50
    page_size: PositiveInt = 10
    max_per_category: PositiveInt = 3
    max_bytes: PositiveInt = 256 * 2**20


@dataclass(frozen=True)
class Block:
    """Lists of users first, first + 1, ...: item positions and scores (users x n), padded by -1."""

    first: int
    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.int64]


@computed
def top_n(
    run: Run,
    features: Features,
    model: Model,
    settings: TopNSettings,
    training: TrainSettings,
    *,
    progress: Progress = no_progress,
) -> Lists:
    """Write each model user's list with its reasons; a user for whom no item is left has none."""
    user_ids, users = load_factors(model.user_factors)
    item_ids, items = load_factors(model.item_factors)
    catalogue = load_catalogue(features.items, item_ids)
    seen = load_matrix(features.seen)
    explain = Explainer.of(load_matrix(features.interactions), items, training)
    n_lists = n_full = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal n_lists, n_full
        for block in rank(users, items, catalogue, seen, settings):
            n_lists += int((block.lengths > 0).sum())
            n_full += int((block.lengths == settings.n).sum())
            because = explain(block.first, block.items, block.lengths)
            yield _batch(user_ids, item_ids, block, because)
            progress(block.first + len(block.lengths), len(users))

    path = run.path("lists/lists.parquet")
    write_parquet(path, LIST_SCHEMA, batches())
    return Lists(path, n_lists, n_full)


def rank(
    users: Factors,
    items: Factors,
    catalogue: Catalogue,
    seen: sp.csr_matrix,
    settings: TopNSettings,
) -> Iterator[Block]:
    """Yield the exact lists of all users (rows of `users`), block by block, in order.

    The answer depends on neither block size nor number of threads: BLAS finds the candidates,
    and those are scored again in one fixed order. At most `max_bytes` of scores and candidates
    stand at a time.
    """
    workers = os.cpu_count() or 1
    stock = arrange(items, catalogue.categories, catalogue.available)
    cap = settings.max_per_category
    rules = rules_for(settings.n, settings.page_size, cap, catalogue.n_categories)
    size, tile_users = _room(settings.max_bytes // workers, stock, rules)

    def block(first: int) -> Block:
        crowd = gather(users, seen, stock, first, size)
        n_users = len(crowd.factors)
        desk = open_desk(n_users, tile_users, stock, rules)
        out = np.full((n_users, settings.n), -1, np.int32)
        scores = np.zeros((n_users, settings.n))
        lengths = np.zeros(n_users, np.int64)
        list_block(crowd, stock, desk, rules, out, scores, lengths)
        return Block(first, out, scores, lengths)

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Block]] = deque()
        for first in range(0, len(users), size):
            waiting.append(pool.submit(block, first))
            if len(waiting) > workers:  # all work while the oldest is taken on
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _room(max_bytes: int, stock: Stock, rules: Rules) -> tuple[int, int]:
    """Return how many users a block and a tile of scores may hold, each in half the memory."""
    one, two, tile = (
        sum(part.nbytes for part in open_desk(*sizes, stock, rules))
        for sizes in ((1, 1), (2, 1), (2, 2))
    )
    users = (max_bytes // 2 - one) // (two - one)
    tile_users = max_bytes // 2 // (tile - two)
    return max(1, min(_BLOCK_USERS, users)), max(1, min(TILE_USERS, tile_users))


def _batch(
    user_ids: pa.StringArray, item_ids: pa.StringArray, block: Block, because: npt.NDArray[np.int32]
) -> pa.RecordBatch:
    """Turn a block of positions into rows of `LIST_SCHEMA`."""
    filled = np.arange(block.items.shape[1]) < block.lengths[:, None]
    listed, why = block.items[filled], because[filled]
    known, itself = why != NOTHING, why == listed
    codes = np.select([itself, known], ["again", "because"], "taste")
    return list_batch(
        keys=user_ids.slice(block.first, len(block.lengths)),
        lengths=block.lengths,
        item_ids=item_ids.take(pa.array(listed)),
        scores=block.scores[filled],
        codes=pa.array(codes, pa.string()),
        because=pc.fill_null(item_ids.take(pa.array(why, mask=~known | itself)), ""),
    )
