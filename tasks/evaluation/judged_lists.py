"""Lists of a split's judged users, by any model under any rule, and their hits."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from tasks.artifacts.catalogue import Catalogue, load_catalogue
from tasks.artifacts.factors import Factors, load_matrix
from tasks.artifacts.list_tables import read_lists
from tasks.artifacts.records import Features
from tasks.artifacts.scoring import Scoring
from tasks.evaluation.protocols import Split
from tasks.evaluation.ranking_metrics import Hits
from tasks.features.build import open_log
from tasks.features.recent_popularity import recent_popularity
from tasks.features.settings import FeatureSettings
from tasks.io.columns import ID, ITEM_ID, positions_of
from tasks.io.duckdb_session import connect
from tasks.io.parquet import read_column
from tasks.recommend._jit.item_blocks import ItemIndex
from tasks.recommend.exact_search import Block, rank
from tasks.recommend.popularity import load_popularity
from tasks.recommend.rerank.pipeline import ruled, whole
from tasks.recommend.settings import PopularitySettings, TopNSettings
from tasks.runs.run_folder import Run

#: Positions in `Audience.catalogue` (users x n), best first; -1 where a list has ended, or where it
#: names an item that no model knows.
Listed = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Audience:
    """The judged users of a split, as the features of its known part have them.

    Users are in the order of `Split.user_ids`, items in that of `Features.item_ids`.

    - `rows`: row of each user in the features, -1 for a stranger.
    - `seen`: users x items, an entry where a list must not show the item; empty for a stranger.
    - `relevant`: users x items, 1 where the item is relevant; items unknown by then are missing.
    """

    split: Split
    features: Features
    weighing: FeatureSettings
    popular: PopularitySettings
    rows: Ints
    catalogue: Catalogue
    seen: sp.csr_matrix
    relevant: sp.csr_matrix

    @property
    def run(self) -> Run:
        """The smaller night of the split."""
        return self.split.run

    @property
    def user_ids(self) -> pa.StringArray:
        """Ids of the judged users."""
        return self.split.user_ids

    @property
    def n_relevant(self) -> Ints:
        """Relevant items of each user, the missing ones among them."""
        return self.split.n_relevant

    @cached_property
    def known(self) -> Ints:
        """Positions of the users who are no strangers."""
        return np.flatnonzero(self.rows >= 0)

    @cached_property
    def popularity(self) -> Factors:
        """Places of the items from the last up (items x 1), as the popular list of all has them."""
        item_ids = self.catalogue.ids
        with connect(self.run.folder) as db:
            open_log(db, self.split.known, self.weighing)
            recent = recent_popularity(db, item_ids, self.run.as_of, self.popular.half_life_days)
        items = pq.read_table(self.features.items, columns=[ITEM_ID])
        positions = positions_of(item_ids, items.column(ITEM_ID).combine_chunks())
        older = load_popularity(self.features)[positions]
        places = np.empty((len(item_ids), 1), np.float32)
        places[np.lexsort((-older, -recent)), 0] = np.arange(len(item_ids), 0, -1)
        return places


def audience_of(
    split: Split, features: Features, weighing: FeatureSettings, popularity: PopularitySettings
) -> Audience:
    """Return the judged users by the features of the split's known part."""
    item_ids = read_column(features.item_ids, ID)
    rows = positions_of(split.user_ids, read_column(features.user_ids, ID)).astype(np.int64)
    return Audience(
        split=split,
        features=features,
        weighing=weighing,
        popular=popularity,
        rows=rows,
        catalogue=load_catalogue(features.items, item_ids),
        seen=rows_of(load_matrix(features.seen), rows),
        relevant=_relevant(split, item_ids),
    )


def rows_of(matrix: sp.csr_matrix, rows: Ints) -> sp.csr_matrix:
    """Return the rows of a matrix, an empty one for -1."""
    blank = sp.csr_matrix((1, matrix.shape[1]), dtype=matrix.dtype)
    return sp.csr_matrix(sp.vstack([matrix, blank]).tocsr()[rows])


def popular_lists(audience: Audience, rule: TopNSettings) -> Listed:
    """Return the users' lists by popularity alone, under the rerank of `rule`."""
    return _ranked(audience, popularity_of(audience), audience.seen, rule)


def popularity_of(audience: Audience) -> Scoring:
    """Return the popularity of the items as each judged user's scores."""
    ones = np.ones((len(audience.user_ids), 1), np.float32)
    return Scoring(ones, audience.popularity)


def model_lists(
    audience: Audience, scoring: Scoring, rule: TopNSettings, index: ItemIndex | None = None
) -> Listed:
    """Return the users' lists under a rule; strangers get the popular list.

    `scoring` is of all users of the features, in their order; `index` of its items, if at hand.
    """
    known = audience.known
    lists = np.full((len(audience.rows), rule.n), -1, np.int32)
    own, seen = scoring.of(audience.rows[known]), audience.seen[known]
    if rule.trades and rule != unruled(rule):
        user_ids = audience.user_ids.take(pa.array(known))
        here = audience.run, audience.features
        _, parts = ruled(*here, user_ids, own, audience.catalogue, seen, rule)
        lists[known] = whole(block for block, _ in parts).items
    else:
        lists[known] = _ranked(audience, own, seen, rule, index)
    return filled(lists, popular_lists(audience, rule)) if len(known) < len(lists) else lists


def file_lists(audience: Audience, path: Path, n: int) -> Listed:
    """Return the users' lists from a file (`LIST_SCHEMA`); a user without one has an empty list."""
    lists = np.full((len(audience.rows), n), -1, np.int32)
    for batch in read_lists(path, ["key", "item_ids"]):
        rows = positions_of(batch["key"].cast(pa.string()), audience.user_ids)
        named = batch["item_ids"]
        listed = named.flatten()
        positions = positions_of(listed.dictionary, audience.catalogue.ids)
        items = positions[listed.indices.to_numpy()]
        lengths = named.value_lengths().to_numpy()
        owner = np.repeat(rows, lengths)
        place = np.arange(len(items)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        kept = (owner >= 0) & (place < n)
        lists[owner[kept], place[kept]] = items[kept]
    return lists


def filled(lists: Listed, fallback: Listed) -> Listed:
    """Return the lists with those of `fallback` in place of the empty ones."""
    empty = np.all(lists < 0, axis=1, keepdims=True)
    return np.where(empty, fallback, lists)


def hits_of(audience: Audience, lists: Listed) -> Hits:
    """Return which places of the lists hold a relevant item (users x n)."""
    users = np.repeat(np.arange(len(lists)), lists.shape[1])
    places = np.maximum(lists, 0).ravel()
    found = np.asarray(audience.relevant[users, places]).reshape(lists.shape)
    return np.asarray((found != 0) & (lists >= 0))


def unruled(rule: TopNSettings) -> TopNSettings:
    """Return the settings by score alone: no category cap, nothing that trades."""
    return replace(rule.plain, rerank="none")


def _ranked(
    audience: Audience,
    scoring: Scoring,
    seen: sp.csr_matrix,
    rule: TopNSettings,
    index: ItemIndex | None = None,
) -> Listed:
    """Return the lists of a scoring's users by the category rule, or by score alone."""
    free = rule.rerank != "cap"
    walked = replace(rule.plain, max_per_category=rule.page_size) if free else rule.plain
    return _items(rank(scoring, audience.catalogue, seen, walked, index), rule.n)


def _items(blocks: Iterable[Block], n: int) -> Listed:
    """Return the item positions of all blocks."""
    lists = [np.empty((0, n), np.int32), *(block.items for block in blocks)]
    return np.concatenate(lists)


def _relevant(split: Split, item_ids: pa.StringArray) -> sp.csr_matrix:
    columns = positions_of(split.item_ids, item_ids)
    known = columns >= 0
    ones = np.ones(np.count_nonzero(known), np.float32)
    shape = (len(split.user_ids), len(item_ids))
    return sp.csr_matrix((ones, (split.rows[known], columns[known])), shape=shape)
