"""The exact lists of all users, as `tasks/topn.py` defines them, block by block."""

import os
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from pydantic import Field, NonNegativeInt, PositiveInt
from threadpoolctl import threadpool_limits

from tasks.ahead import ahead
from tasks.kernels.bounds import Stock, arrange, gather
from tasks.kernels.desk import Rules, open_desk, rules_for
from tasks.kernels.lists import list_block
from tasks.lists import Catalogue
from tasks.train import Factors

#: Users a block: many share what it costs; few users are dealt to all cores nevertheless.
BLOCK_USERS = 2_048
_LEAST_BLOCK, _LEAST_BLOCKS = 128, 8
#: Rules that trade, and the value that turns each off.
_TRADES = {"rerank": "cap", "max_item_share": 1.0, "explore_slots": 0}


@dataclass(frozen=True)
class TopNSettings:
    """How long a list is, and how diverse.

    - `n`: items a list, 1 to 1,000.
    - `page_size`, `max_per_category`: at most so many of a category in each page of so many; items
      of unknown category are held to none.
    - `max_bytes`: memory for scores and candidates, over all threads; each holds one user's at
      least.
    - `rerank`: "cap" is the category rule; "mmr" chooses without it by Maximal Marginal Relevance,
      `mmr_lambda` from 0, variety alone, to 1, score alone; "none" is score alone.
    - `max_item_share`: of all lists, the most that one item may enter; 1 is no ceiling.
    - `explore_slots`: places at the end of each page that go to items which few lists show, or
      which came into being in the last `new_days`.
    - `active_within_days`: users without an event in so many days get no list of their own, and
      fall back; none: everybody gets one.

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
    active_within_days: PositiveInt | None = None

    def __post_init__(self) -> None:
        if self.explore_slots > self.page_size:
            raise ValueError(
                f"topn.explore_slots is {self.explore_slots}, over page_size ({self.page_size}): "
                "a page has no more places to explore"
            )

    @property
    def trades(self) -> tuple[str, ...]:
        """The rules in force by which lists give up some of the walk for something else."""
        return tuple(name for name, off in _TRADES.items() if getattr(self, name) != off)

    @property
    def plain(self) -> "TopNSettings":
        """These settings without such rules: the exact walk and nothing else."""
        return replace(self, **_TRADES)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Block:
    """Lists of users first, first + 1, ...: item positions and scores (users x n), padded by -1."""

    first: int
    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.int64]


def rank(
    users: Factors,
    items: Factors,
    catalogue: Catalogue,
    seen: sp.csr_matrix,
    settings: TopNSettings,
) -> Generator[Block, None, None]:
    """Yield the exact lists of all users (rows of `users`), block by block, in order.

    The answer depends on neither block size nor number of threads: products of whole numbers find
    the candidates, and those are scored in one fixed order. At most `max_bytes` of candidates and
    scratch stand at a time.
    """
    with threadpool_limits(1, "blas"):  # so little work that threads would wait for one another
        stock = arrange(items, catalogue.categories, catalogue.available)
    rules = rules_for(
        settings.n, settings.page_size, settings.max_per_category, catalogue.n_categories,
        catalogue.uncapped, int(np.count_nonzero(stock.categories == catalogue.uncapped)),
    )  # fmt: skip
    room = _room(settings.max_bytes // (os.cpu_count() or 1), stock, rules)
    size = min(room, max(_LEAST_BLOCK, -(-len(users) // _LEAST_BLOCKS)))

    def block(first: int) -> Block:
        crowd = gather(users, seen, stock, first, size)
        n_users = len(crowd.factors)
        desk = open_desk(n_users, stock, rules)
        out = np.full((n_users, settings.n), -1, np.int32)
        scores = np.zeros((n_users, settings.n))
        lengths = np.zeros(n_users, np.int64)
        list_block(crowd, stock, desk, rules, out, scores, lengths)
        return Block(first, out, scores, lengths)

    yield from ahead(block, (first for first in range(0, len(users), size)))


def _room(max_bytes: int, stock: Stock, rules: Rules) -> int:
    """Return how many users a block may hold."""
    one, two = (sum(part.nbytes for part in open_desk(n, stock, rules)) for n in (1, 2))
    return max(1, min(BLOCK_USERS, 1 + (max_bytes - one) // (two - one)))
