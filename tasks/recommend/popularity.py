"""Popular lists: the fallback of users without a list of their own.

Every list that mixes categories obeys the same category rule as the users' lists; a category's own
list cannot, and does not.
"""

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from tasks.artifacts.catalogue import Catalogue, load_catalogue
from tasks.artifacts.factors import load_matrix
from tasks.artifacts.list_tables import list_batch
from tasks.artifacts.records import CleanLog, Features, Lists
from tasks.features.build import open_log
from tasks.features.settings import FeatureSettings
from tasks.io.columns import CREATED_AT, ID, ITEM_ID, SEGMENT, USER_ID, positions_of
from tasks.io.duckdb_session import connect, query
from tasks.io.parquet import read_column, write_table
from tasks.recommend._jit.category_cap import walk
from tasks.recommend.settings import PopularitySettings, TopNSettings
from tasks.runs.journal import computed
from tasks.runs.run_folder import Run

Scores = npt.NDArray[np.float64]


@computed
def popular_lists(
    run: Run,
    log: CleanLog,
    features: Features,
    settings: PopularitySettings,
    listing: TopNSettings,
    weighing: FeatureSettings,
) -> Lists:
    """Write a list for `all`, each category, each user segment, `trending` and `new`."""
    catalogue = load_catalogue(features.items)
    popularity = load_popularity(features)
    segments = _segments(run, log, features, catalogue, settings, weighing)
    batches = [
        _list(segment, scores, popularity, catalogue, listing) for segment, scores in segments
    ]
    lists = pa.Table.from_batches(batches).combine_chunks()
    path = run.path("lists/popular.parquet")
    write_table(path, lists)
    lengths = pc.list_value_length(lists["item_ids"]).to_numpy()
    return Lists(path, len(lists), int(np.count_nonzero(lengths == listing.n)))


def load_popularity(features: Features) -> Scores:
    """Load the decayed popularity of every item of the catalogue, in its order."""
    table = pq.read_table(features.items, columns=["popularity_score"])
    return np.asarray(table.column("popularity_score").to_numpy(), np.float64)


def _segments(
    run: Run,
    log: CleanLog,
    features: Features,
    catalogue: Catalogue,
    settings: PopularitySettings,
    weighing: FeatureSettings,
) -> Iterator[tuple[str, Scores]]:
    """Yield each segment with a score for every item of the catalogue; nan means not in it."""
    popularity = load_popularity(features)
    yield "all", popularity
    yield "trending", _trending(run, log, catalogue, settings, weighing)
    items = pq.read_table(features.items, columns=[CREATED_AT, "first_seen"])
    known_since = pc.coalesce(items.column(CREATED_AT), items.column("first_seen"))
    yield "new", _newness(known_since, run.as_of)
    for number, name in sorted(enumerate(catalogue.category_names), key=lambda pair: pair[1]):
        yield f"category:{name}", np.where(catalogue.categories == number, popularity, np.nan)
    yield from _by_user_segment(features, catalogue)


def _trending(
    run: Run,
    log: CleanLog,
    catalogue: Catalogue,
    settings: PopularitySettings,
    weighing: FeatureSettings,
) -> Scores:
    windows = {"recent_days": settings.recent_days, "past_days": settings.past_days}
    with connect(run.folder) as db:
        open_log(db, log, weighing)
        parameters = {"as_of": run.as_of, **windows}
        rows = db.sql(query("recommend/trending"), params=parameters).to_arrow_table()
    scores = np.full(len(catalogue.ids), np.nan)
    positions = positions_of(rows[ITEM_ID].combine_chunks(), catalogue.ids)
    scores[positions] = rows["score"]
    return scores


def _newness(known_since: pa.ChunkedArray, as_of: datetime) -> Scores:
    """Score by 1 / (1 + age in days): 1 for an item of this moment, falling with age."""
    now = np.datetime64(as_of.replace(tzinfo=None))
    age_days = (now - known_since.to_numpy()) / np.timedelta64(1, "D")  # null becomes nan
    return np.where(age_days >= 0, 1 / (1 + np.maximum(age_days, 0)), np.nan)


def _by_user_segment(features: Features, catalogue: Catalogue) -> Iterator[tuple[str, Scores]]:
    """Add up the interactions of a segment's users."""
    users = pq.read_table(features.users, columns=[USER_ID, SEGMENT])
    model_users = read_column(features.user_ids, ID)
    model_items = read_column(features.item_ids, ID)
    segment = users.column(SEGMENT).take(pc.index_in(model_users, users.column(USER_ID)))
    coded = segment.combine_chunks().dictionary_encode()
    where = np.flatnonzero(coded.is_valid().to_numpy(zero_copy_only=False))
    shape = (len(coded.dictionary), len(model_users))
    codes = coded.indices.drop_null().to_numpy()
    members = sp.csr_matrix((np.ones(len(where)), (codes, where)), shape=shape)
    taken = (members @ load_matrix(features.interactions).astype(np.float64)).toarray()
    positions = positions_of(model_items, catalogue.ids)
    for number, name in sorted(enumerate(coded.dictionary.to_pylist()), key=lambda pair: pair[1]):
        scores = np.zeros(len(catalogue.ids))
        scores[positions] = np.maximum(taken[number], 0)
        yield f"segment:{name}", scores


def _list(
    segment: str, scores: Scores, popularity: Scores, catalogue: Catalogue, listing: TopNSettings
) -> pa.RecordBatch:
    """Walk by score, then popularity, then item id, into one row of `LIST_SCHEMA`."""
    candidates = np.flatnonzero(catalogue.available & ~np.isnan(scores))
    order = candidates[np.lexsort((-popularity[candidates], -scores[candidates]))]
    one_category = segment.startswith("category:")
    out = np.empty(listing.n, np.int32)
    n = walk(
        order,
        catalogue.categories,
        catalogue.n_categories,
        listing.page_size,
        listing.page_size if one_category else listing.max_per_category,
        catalogue.uncapped,
        out,
    )
    plain = segment in ("trending", "new")
    return list_batch(
        keys=pa.array([segment]),
        lengths=np.array([n]),
        item_ids=catalogue.ids.take(pa.array(out[:n])),
        scores=scores[out[:n]],
        codes=pa.array([segment if plain else "popular"] * n, pa.string()),
        because=pa.array(["" if plain else segment] * n, pa.string()),
    )
