"""Exact lists of all users, as `tasks/recommend/topn.py` defines them, block by block."""

import os
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from tasks.artifacts.catalogue import Catalogue
from tasks.artifacts.factors import Factors
from tasks.artifacts.scoring import Scoring
from tasks.io.blas import one_blas_thread
from tasks.io.parallel import parallel_map
from tasks.recommend._jit.item_blocks import ItemIndex, arrange, gather
from tasks.recommend._jit.search import list_block
from tasks.recommend._jit.search_state import Rules, open_state, rules_for
from tasks.recommend.settings import TopNSettings

#: Users a block: many share what it costs; few users are dealt to all cores nevertheless.
BLOCK_USERS = 2_048
_LEAST_BLOCK, _LEAST_BLOCKS = 128, 8


@dataclass(frozen=True)
class Block:
    """Lists of users first, first + 1, ...: item positions and scores (users x n), padded by -1."""

    first: int
    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.int64]


def index_of(scoring: Scoring, catalogue: Catalogue) -> ItemIndex:
    """Index the available items of a `scoring`; it serves all scorings of the same items and links.

    Also one without links, whose users then reach nothing by them.
    """
    with one_blas_thread():  # so little work that threads would wait for one another
        items = _dense(scoring.items)
        return arrange(items, catalogue.categories, catalogue.available, scoring.neighbours)


def rank(
    scoring: Scoring,
    catalogue: Catalogue,
    seen: sp.csr_matrix,
    settings: TopNSettings,
    index: ItemIndex | None = None,
    size: int | None = None,
) -> Generator[Block, None, None]:
    """Yield the exact lists of all users of a `scoring`, block by block, in order.

    `catalogue` and `seen` (users x items) are in the scoring's order. The answer depends on neither
    block size nor number of threads: links and products of whole numbers find the candidates, and
    those are scored in one fixed order. At most `max_bytes` of candidates and scratch stand at a
    time. `index` is that of `index_of`, where it is at hand; `size` users are a block, by default
    as many as `block_users` says.
    """
    users, index = _dense(scoring.users), index or index_of(scoring, catalogue)
    rules = _rules(catalogue, settings, index)
    size = size or block_users(len(users), catalogue, settings, index)

    def search_block(first: int) -> Block:
        block = gather(users, seen, index, first, size, scoring.profiles)
        n_users = len(block.factors)
        state = open_state(n_users, index, rules)
        out = np.full((n_users, settings.n), -1, np.int32)
        scores = np.zeros((n_users, settings.n))
        lengths = np.zeros(n_users, np.int64)
        list_block(block, index, state, rules, out, scores, lengths)
        return Block(first, out, scores, lengths)

    yield from parallel_map(search_block, (first for first in range(0, len(users), size)))


def block_users(
    n_users: int, catalogue: Catalogue, settings: TopNSettings, index: ItemIndex
) -> int:
    """Return the number of users a block: as many as fit, and no more than keep all cores busy."""
    rules = _rules(catalogue, settings, index)
    room = _room(settings.max_bytes // (os.cpu_count() or 1), index, rules)
    return min(room, max(_LEAST_BLOCK, -(-n_users // _LEAST_BLOCKS)))


def _rules(catalogue: Catalogue, settings: TopNSettings, index: ItemIndex) -> Rules:
    return rules_for(
        settings.n, settings.page_size, settings.max_per_category, catalogue.n_categories,
        catalogue.uncapped, int(np.count_nonzero(index.categories == catalogue.uncapped)),
    )  # fmt: skip


def _dense(factors: Factors) -> Factors:
    """Return the factors; in place of none one of zeros, the same scores."""
    return factors if factors.shape[1] else np.zeros((len(factors), 1), np.float32)


def _room(max_bytes: int, index: ItemIndex, rules: Rules) -> int:
    """Return the number of users that fit in a block."""
    one, two = (sum(part.nbytes for part in open_state(n, index, rules)) for n in (1, 2))
    return max(1, min(BLOCK_USERS, 1 + (max_bytes - one) // (two - one)))
