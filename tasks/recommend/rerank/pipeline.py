"""The rerank pipeline: MMR or none, exposure cap, exploration, over all lists at once.

In this order: lists are made by the walk or by what is in its place, the exposure cap is applied,
and exploration deals its places out (docs/decisions/0016-exposure.md).
"""

from collections.abc import Generator, Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from tasks.artifacts.catalogue import Catalogue
from tasks.artifacts.factors import Factors
from tasks.artifacts.records import Features
from tasks.artifacts.scoring import Scoring
from tasks.recommend._jit.exploration import Places
from tasks.recommend.exact_search import BLOCK_USERS, Block, rank
from tasks.recommend.rerank.exploration import Flags, explore, load_favourites, load_new
from tasks.recommend.rerank.exposure_cap import Rows, apply_cap, count_lists, most_lists
from tasks.recommend.rerank.mmr import POOL_LISTS, diversify
from tasks.recommend.settings import TopNSettings
from tasks.runs.run_folder import Run

#: Lists in blocks, each with the places that explore, where any do.
Parts = Generator[tuple[Block, Flags | None], None, None]


def ruled(
    run: Run,
    features: Features,
    user_ids: pa.StringArray,
    scoring: Scoring,
    catalogue: Catalogue,
    seen: sp.csr_matrix,
    settings: TopNSettings,
    likeness: Factors | None = None,
) -> tuple[float | None, Parts]:
    """Make all lists under the rules in force: reranked, capped, explored.

    Returns the share of the plain lists' scores that is kept (none where theirs are not positive),
    and the lists in blocks, each with the places that explore. The cosines of MMR are those of
    `likeness` (items x k), of the scoring's items where not given.
    """
    alike = scoring.items if likeness is None else likeness

    def recompute(rows: Rows, hidden: sp.csr_matrix) -> Block:
        return whole(_reranked(scoring.of(rows), alike, catalogue, hidden, settings))

    lists = recompute(np.arange(len(scoring.users)), seen)
    plain = lists
    if settings.rerank != "cap":
        plain = whole(rank(scoring, catalogue, seen, settings))
    most = most_lists(settings.max_item_share, count_lists(seen, catalogue.available))
    capped, seen = apply_cap(lists, most, seen, recompute)
    explored = None
    if settings.explore_slots:
        favourites = load_favourites(features.users, user_ids, catalogue)
        new = load_new(features.items, catalogue.ids, run.as_of, settings.new_days)
        places = Places(
            settings.n, settings.page_size, settings.explore_slots, settings.max_per_category,
            most, catalogue.uncapped,
        )  # fmt: skip
        capped, explored = explore(scoring, catalogue, capped, seen, favourites, new, places)
    total = float(plain.scores.sum())
    return float(capped.scores.sum()) / total if total > 0 else None, _parts(capped, explored)


def _reranked(
    scoring: Scoring,
    likeness: Factors,
    catalogue: Catalogue,
    seen: sp.csr_matrix,
    settings: TopNSettings,
) -> Iterable[Block]:
    """Yield blocks of lists by `settings.rerank`."""
    if settings.rerank == "cap":
        return rank(scoring, catalogue, seen, settings)
    free = replace(settings, max_per_category=settings.page_size)
    if settings.rerank == "none":
        return rank(scoring, catalogue, seen, free)
    pools = rank(scoring, catalogue, seen, replace(free, n=POOL_LISTS * settings.n))
    return diversify(pools, likeness, settings.n, settings.mmr_lambda)


def whole(blocks: Iterable[Block]) -> Block:
    """Put blocks together into one of all users."""
    parts = list(blocks)
    if not parts:
        return Block(0, np.empty((0, 0), np.int32), np.empty((0, 0)), np.empty(0, np.int64))
    columns = zip(*((part.items, part.scores, part.lengths) for part in parts), strict=True)
    return Block(0, *map(np.concatenate, columns))


def _parts(lists: Block, explored: Flags | None) -> Parts:
    """Yield all users' lists in blocks of a fixed size."""
    for first in range(0, len(lists.lengths), BLOCK_USERS):
        rows = slice(first, first + BLOCK_USERS)
        part = Block(first, lists.items[rows], lists.scores[rows], lists.lengths[rows])
        yield part, None if explored is None else explored[rows]
