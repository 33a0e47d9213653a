"""Popular lists: the fallback of users without a list of their own.

`all`, the categories and the user segments go by recent popularity, a segment's shrunk to that of
all (`tasks/features/recent_popularity.py`); `trending` by growth, `new` by age. Every list that
mixes categories obeys the same category rule as the users' lists; a category's own list cannot, and
does not.
"""

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.artifacts.catalogue import Catalogue, load_catalogue
from tasks.artifacts.list_tables import list_batch
from tasks.artifacts.records import CleanLog, Features, Lists
from tasks.features.build import open_log
from tasks.features.recent_popularity import recent_popularity, segment_popularity
from tasks.features.settings import FeatureSettings
from tasks.io.columns import CREATED_AT, ITEM_ID, positions_of
from tasks.io.duckdb_session import Relations, connect, query
from tasks.io.parquet import write_table
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
    with connect(run.folder) as db:
        open_log(db, log, weighing)
        return lists_from(db, run, features, settings, listing)


def lists_from(
    db: Relations,
    run: Run,
    features: Features,
    settings: PopularitySettings,
    listing: TopNSettings,
) -> Lists:
    """Write the lists, as `popular_lists` does, from the relations of `open_log`."""
    catalogue = load_catalogue(features.items)
    popularity = load_popularity(features)
    batches = [
        _list(segment, scores, popularity, catalogue, listing)
        for segment, scores in _segments(run, db, features, catalogue, settings)
    ]
    lists = pa.Table.from_batches(batches).combine_chunks()
    path = run.path("lists/popular.parquet")
    write_table(path, lists)
    lengths = pc.list_value_length(lists["item_ids"]).to_numpy()
    return Lists(path, len(lists), int(np.count_nonzero(lengths == listing.n)))


def load_popularity(features: Features) -> Scores:
    """Load the feature `popularity_score` of every item of the catalogue, in its order."""
    table = pq.read_table(features.items, columns=["popularity_score"])
    return np.asarray(table.column("popularity_score").to_numpy(), np.float64)


def _segments(
    run: Run,
    db: Relations,
    features: Features,
    catalogue: Catalogue,
    settings: PopularitySettings,
) -> Iterator[tuple[str, Scores]]:
    """Yield each segment with a score for every item of the catalogue; nan means not in it."""
    window = catalogue.ids, run.as_of, settings.half_life_days
    recent = recent_popularity(db, *window)
    yield "all", recent
    yield "trending", _trending(run, db, catalogue, settings)
    items = pq.read_table(features.items, columns=[CREATED_AT, "first_seen"])
    known_since = pc.coalesce(items.column(CREATED_AT), items.column("first_seen"))
    yield "new", _newness(known_since, run.as_of)
    for number, name in sorted(enumerate(catalogue.category_names), key=lambda pair: pair[1]):
        yield f"category:{name}", np.where(catalogue.categories == number, recent, np.nan)
    for name, scores in segment_popularity(db, *window):
        yield f"segment:{name}", scores


def _trending(
    run: Run, db: Relations, catalogue: Catalogue, settings: PopularitySettings
) -> Scores:
    windows = {"recent_days": settings.recent_days, "past_days": settings.past_days}
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


def _list(
    segment: str, scores: Scores, popularity: Scores, catalogue: Catalogue, listing: TopNSettings
) -> pa.RecordBatch:
    """Walk by score, then `popularity_score`, then item id, into one row of `LIST_SCHEMA`."""
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
