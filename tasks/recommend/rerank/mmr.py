"""Maximal Marginal Relevance: lists that weigh relevance against likeness to places above.

Carbonell and Goldstein, "The use of MMR, diversity-based reranking" (SIGIR 1998). Greedily, of a
user's best items, the next is the one with the largest

    lambda * relevance - (1 - lambda) * max cosine similarity to the items chosen before

ties by score, then item id. Relevance is the score over the user's best score, so at most 1; where
the best is not positive the model recommends nothing to that user, relevance is 0 for all, and
variety alone decides. The cosine is that of the item factors, 0 for an item of zero factors and
before the first choice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from tasks.artifacts.factors import Factors
from tasks.io.parallel import parallel_map
from tasks.recommend._jit.mmr import diversify_block, unit_rows
from tasks.recommend.exact_search import Block

#: Candidates a user, as a multiple of the list's length.
POOL_LISTS = 4


def diversify(pools: Iterable[Block], items: Factors, n: int, mmr_lambda: float) -> Iterator[Block]:
    """Yield lists of at most `n` items chosen from the pools, block by block, in order.

    `pools` are the users' best items in order of score; `mmr_lambda` is 0 (variety alone) to 1
    (the pool's own order). The blocks are worked on side by side; none depends on another.
    """
    units = unit_rows(items)

    def choose(pool: Block) -> Block:
        out = np.full((len(pool.lengths), n), -1, np.int32)
        scores, lengths = np.zeros(out.shape), np.zeros(len(out), np.int64)
        diversify_block(
            pool.items, pool.scores, pool.lengths, units, mmr_lambda, out, scores, lengths
        )
        return replace(pool, items=out, scores=scores, lengths=lengths)

    yield from parallel_map(choose, (pool for pool in pools))
