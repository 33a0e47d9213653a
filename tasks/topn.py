"""Exact, diverse top-N lists: what every user gets, defined rather than approximated.

A list walks all items in order of descending score (ties by item id), skips what the user has
seen, what is unavailable and what its category has no room for in the page, and stops at N.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from pydantic import Field, NonNegativeInt, PositiveInt
from threadpoolctl import threadpool_limits

from tasks.ceiling import Rows, count_lists, hold_down, most_lists
from tasks.explore import Flags, explore, load_favourites, load_new
from tasks.kernel_bounds import Stock, arrange, gather
from tasks.kernel_desk import Rules, open_desk, rules_for
from tasks.kernel_explore import Places
from tasks.kernel_lists import TILE_USERS, list_block
from tasks.lists import Catalogue, list_batch, load_catalogue
from tasks.mmr import POOL_LISTS, diversify
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
    - `rerank`: "cap" is the category rule; "mmr" chooses without it by Maximal Marginal Relevance,
      `mmr_lambda` from 0, variety alone, to 1, score alone; "none" is score alone.
    - `max_item_share`: of all lists, the most that one item may enter; 1 is no ceiling.
    - `explore_slots`: places at the end of each page that go to items which few lists show, or
      which came into being in the last `new_days`.

    With any of these three rules all lists are in memory at once, beyond `max_bytes`: up to some
    50 bytes a place (docs/decisions/0016-exposure.md).
    """

    n: Annotated[int, Field(ge=1, le=1_000)] = 50
    page_size: PositiveInt = 10
    max_per_category: PositiveInt = 3
    max_bytes: PositiveInt = 256 * 2**20
    rerank: Literal["cap", "mmr", "none"] = "cap"
    mmr_lambda: Annotated[float, Field(ge=0, le=1)] = 0.7
    max_item_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    explore_slots: NonNegativeInt = 0
    new_days: PositiveInt = 28

    def __post_init__(self) -> None:
        if self.explore_slots > self.page_size:
            raise ValueError(
                f"topn.explore_slots is {self.explore_slots}, over page_size ({self.page_size}): "
                "a page has no more places to explore"
            )

    @property
    def plain(self) -> bool:
        """Whether lists are the exact walk and nothing else."""
        return self.rerank == "cap" and self.max_item_share == 1 and not self.explore_slots


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
    blocks: Iterable[tuple[Block, Flags | None]]
    if settings.plain:
        kept, blocks = (
            None,
            ((each, None) for each in rank(users, items, catalogue, seen, settings)),
        )
    else:
        kept, blocks = _ruled(run, features, user_ids, users, items, catalogue, seen, settings)

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal n_lists, n_full
        for block, explored in blocks:
            n_lists += int((block.lengths > 0).sum())
            n_full += int((block.lengths == settings.n).sum())
            because = explain(block.first, block.items, block.lengths)
            yield _batch(user_ids, catalogue, block, because, explored)
            progress(block.first + len(block.lengths), len(users))

    path = run.path("lists/lists.parquet")
    write_parquet(path, LIST_SCHEMA, batches())
    return Lists(path, n_lists, n_full, kept)


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


def _ruled(
    run: Run,
    features: Features,
    user_ids: pa.StringArray,
    users: Factors,
    items: Factors,
    catalogue: Catalogue,
    seen: sp.csr_matrix,
    settings: TopNSettings,
) -> tuple[float | None, Iterator[tuple[Block, Flags | None]]]:
    """Make all lists under the rules in force: reranked, held down by the ceiling, explored.

    Returns the share of the plain lists' scores that is kept (none where theirs are not positive),
    and the lists in blocks, each with the places that explore.
    """

    def relist(rows: Rows, hidden: sp.csr_matrix) -> Block:
        return _whole(_reranked(users[rows], items, catalogue, hidden, settings))

    lists = relist(np.arange(len(users)), seen)
    plain = lists
    if settings.rerank != "cap":
        plain = _whole(rank(users, items, catalogue, seen, settings))
    most = most_lists(settings.max_item_share, count_lists(seen, catalogue.available))
    ruled, seen = hold_down(lists, most, seen, relist)
    explored = None
    if settings.explore_slots:
        favourites = load_favourites(features.users, user_ids, catalogue)
        new = load_new(features.items, catalogue.ids, run.as_of, settings.new_days)
        places = Places(
            settings.n, settings.page_size, settings.explore_slots, settings.max_per_category, most
        )
        ruled, explored = explore(users, items, catalogue, ruled, seen, favourites, new, places)
    total = float(plain.scores.sum())
    return float(ruled.scores.sum()) / total if total > 0 else None, _parts(ruled, explored)


def _reranked(
    users: Factors,
    items: Factors,
    catalogue: Catalogue,
    seen: sp.csr_matrix,
    settings: TopNSettings,
) -> Iterator[Block]:
    """Yield what `rank` does, or what `settings.rerank` has in its place."""
    if settings.rerank == "cap":
        return rank(users, items, catalogue, seen, settings)
    free = replace(settings, max_per_category=settings.page_size)
    if settings.rerank == "none":
        return rank(users, items, catalogue, seen, free)
    pools = rank(users, items, catalogue, seen, replace(free, n=POOL_LISTS * settings.n))
    return diversify(pools, items, settings.n, settings.mmr_lambda)


def _whole(blocks: Iterable[Block]) -> Block:
    """Put blocks together into one of all users."""
    parts = list(blocks)
    if not parts:
        return Block(0, np.empty((0, 0), np.int32), np.empty((0, 0)), np.empty(0, np.int64))
    columns = zip(*((part.items, part.scores, part.lengths) for part in parts), strict=True)
    return Block(0, *map(np.concatenate, columns))


def _parts(lists: Block, explored: Flags | None) -> Iterator[tuple[Block, Flags | None]]:
    """Yield all users' lists in blocks of a fixed size."""
    for first in range(0, len(lists.lengths), _BLOCK_USERS):
        rows = slice(first, first + _BLOCK_USERS)
        part = Block(first, lists.items[rows], lists.scores[rows], lists.lengths[rows])
        yield part, None if explored is None else explored[rows]


def _batch(
    user_ids: pa.StringArray,
    catalogue: Catalogue,
    block: Block,
    because: npt.NDArray[np.int32],
    explored: Flags | None,
) -> pa.RecordBatch:
    """Turn a block of positions into rows of `LIST_SCHEMA`."""
    filled = np.arange(block.items.shape[1]) < block.lengths[:, None]
    listed, why = block.items[filled], because[filled]
    dealt = np.zeros(len(listed), np.bool_) if explored is None else explored[filled]
    known, itself = why != NOTHING, why == listed
    codes = np.select([dealt, itself, known], ["discover", "again", "because"], "taste")
    named = catalogue.ids.take(pa.array(why, mask=~known | itself))
    category = pa.array(catalogue.category_names, pa.string()).take(
        pa.array(catalogue.categories[listed])
    )
    return list_batch(
        keys=user_ids.slice(block.first, len(block.lengths)),
        lengths=block.lengths,
        item_ids=catalogue.ids.take(pa.array(listed)),
        scores=block.scores[filled],
        codes=pa.array(codes, pa.string()),
        because=pc.if_else(pa.array(dealt), category, pc.fill_null(named, "")),
    )
