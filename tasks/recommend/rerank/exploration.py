"""Exploration: the last places of each page go to rarely listed items of favourite categories.

A place takes, of the items to explore that fit, the one that the fewest lists show at that moment
(ties by score, then item id), users in order of id, places in order. To explore are the available
items that are new, or that stood in fewer lists than an equal share would give. Fitting is what is
of one of the user's favourite categories, neither seen nor taken from the user by the cap, not
in the list, below the cap, and of a category with room left on the page. Where nothing fits,
the list's own item stays.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from tasks.artifacts.catalogue import Catalogue
from tasks.artifacts.scoring import Scoring
from tasks.io.columns import CREATED_AT, ITEM_ID, USER_ID, positions_of
from tasks.recommend._jit.exploration import Places, ScoreParts, Tastes, explore_lists, open_table
from tasks.recommend._jit.links import links_of, profiles_of
from tasks.recommend.exact_search import Block

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Favourites:
    """Categories by user: user u likes `categories[starts[u]:starts[u + 1]]`."""

    starts: npt.NDArray[np.int64]
    categories: npt.NDArray[np.int32]


def load_favourites(
    user_features: Path, user_ids: pa.StringArray, catalogue: Catalogue
) -> Favourites:
    """Load the favourite categories of `user_ids`, in their order, by number in the catalogue."""
    table = pq.read_table(user_features, columns=[USER_ID, "favorite_categories"])
    rows = pc.index_in(user_ids, table.column(USER_ID).combine_chunks())
    liked = table.column("favorite_categories").combine_chunks().take(rows)
    owners = pc.list_parent_indices(liked).to_numpy()
    names = pa.array(catalogue.category_names, pa.string())
    numbers = positions_of(pc.list_flatten(liked), names)
    known = numbers >= 0
    counts = np.bincount(owners[known], minlength=len(user_ids))
    return Favourites(
        starts=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        categories=numbers[known],
    )


def load_new(item_features: Path, item_ids: pa.StringArray, as_of: datetime, days: int) -> Flags:
    """Return flags of the `item_ids` that came into being within `days` before `as_of`.

    As for the list `new`, an item without `created_at` began with its first event.
    """
    table = pq.read_table(item_features, columns=[ITEM_ID, CREATED_AT, "first_seen"])
    table = table.take(pc.index_in(item_ids, table.column(ITEM_ID).combine_chunks()))
    since = pc.coalesce(table.column(CREATED_AT), table.column("first_seen")).to_numpy()
    age = np.datetime64(as_of.replace(tzinfo=None)) - since
    return np.asarray((age >= np.timedelta64(0)) & (age <= np.timedelta64(days, "D")))


def explore(
    scoring: Scoring,
    catalogue: Catalogue,
    lists: Block,
    seen: sp.csr_matrix,
    favourites: Favourites,
    new: Flags,
    places: Places,
) -> tuple[Block, Flags]:
    """Return the lists of all users with their exploring places filled, and flags of those places.

    `seen` holds what each user must not be shown, those of the cap included; `new` (items) are
    explored however many lists show them.
    """
    listed, scores = lists.items.copy(), lists.scores.copy()
    shown = np.bincount(listed[listed >= 0], minlength=len(scoring.items)).astype(np.int64)
    n_lists = int(np.count_nonzero(lists.lengths))
    rare = shown * np.count_nonzero(catalogue.available) < n_lists * places.n
    pool = np.flatnonzero(catalogue.available & (new | rare)).astype(np.int32)
    by_category = pool[np.argsort(catalogue.categories[pool], kind="stable")]
    sizes = np.bincount(catalogue.categories[pool], minlength=catalogue.n_categories)
    tastes = Tastes(
        liked_from=favourites.starts,
        liked=favourites.categories,
        pool_from=np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        pool=by_category,
        seen_from=seen.indptr,
        seen=seen.indices,
    )
    explored = np.zeros(listed.shape, np.bool_)
    everything = np.arange(len(scoring.items), dtype=np.int32)
    links = links_of(scoring.neighbours, everything)
    parts = ScoreParts(
        scoring.users, scoring.items, profiles_of(scoring.profiles, 0, len(listed)), links
    )
    table = open_table(shown, catalogue.n_categories, len(pool), parts)
    explore_lists(
        parts, catalogue.categories, places, tastes, table, listed, scores, lists.lengths, explored
    )
    return replace(lists, items=listed, scores=scores), explored
