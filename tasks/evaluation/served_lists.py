"""Lists and all that they are measured by, as arrays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from tasks.artifacts.catalogue import UNKNOWN
from tasks.artifacts.list_tables import read_lists
from tasks.artifacts.records import Made, TrainedModel
from tasks.evaluation.list_metrics import Bools, Exposure, Floats, Ints
from tasks.io.columns import AVAILABLE, CATEGORY, CREATED_AT, ID, ITEM_ID, positions_of
from tasks.io.parquet import read_column
from tasks.models.registry import MODELS

Times = NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class Evidence:
    """One night's lists, its items and its users as arrays.

    Items are numbered by `Features.item_ids` first, then whatever else the catalogue or a list
    names: `n_items` in all.

    - `ids`: ids of the items.
    - `users`: row of `Features.user_ids` that each list belongs to, -1 for a stranger.
    - `categories`: each item's position in `category_names`, of which `n_categories` are in the
      catalogue.
    - `popularity`: users who interacted with each item.
    - `created`: each item's `created_at`, or else its first event (UTC); NaT where unknown.
    - `factors`: (n_items, n_factors), zeros where the model does not know an item.
    - `seen`: sparse, users x items, an entry where a list must not show the item.
    - `explored`: which entries of the lists were dealt to explore, by their reason's code.
    """

    ids: pa.StringArray
    exposure: Exposure
    users: Ints
    categories: Ints
    category_names: list[str]
    n_categories: int
    available: Bools
    popularity: Ints
    created: Times
    factors: Floats
    seen: sparse.csr_array
    explored: Bools

    @property
    def n_seen(self) -> int:
        """Number of places that show an item its user has seen."""
        lists, known = self.exposure, self.users >= 0
        ones = np.ones(len(lists.items), np.bool_)
        shown = sparse.csr_array((ones, lists.items, lists.offsets), (len(known), lists.n_items))
        return int(self.seen[self.users[known]].multiply(shown[known]).count_nonzero())

    @property
    def capped(self) -> Bools:
        """Flags of the entries whose category is known, and so capped."""
        known = np.array([name != UNKNOWN for name in self.category_names], np.bool_)
        return known[self.categories[self.exposure.items]]

    @property
    def n_unavailable(self) -> int:
        """Number of places that show an item not available, or not in the catalogue."""
        return int(self.exposure.counts[~self.available].sum())


def load_evidence(made: Made) -> Evidence:
    """Read the night's files into arrays that share one numbering of items and of users."""
    features = made.features
    catalogue = _read(features.items, [ITEM_ID, CATEGORY, AVAILABLE, CREATED_AT, "first_seen"])
    item_ids, user_ids = (read_column(f, ID) for f in (features.item_ids, features.user_ids))
    known = pc.unique(pa.concat_arrays([item_ids, _one(catalogue[ITEM_ID])]))
    users, exposure, explored, universe = _lists(made.own.path, user_ids, known)
    at = pc.index_in(universe, value_set=catalogue[ITEM_ID])
    category = pc.fill_null(_one(catalogue[CATEGORY]), UNKNOWN)
    named = pc.fill_null(category.take(at), UNKNOWN).dictionary_encode()
    available = pc.fill_null(_one(catalogue[AVAILABLE]).take(at), False)
    created = pc.coalesce(_one(catalogue[CREATED_AT]), _one(catalogue["first_seen"])).take(at)
    interactions = sparse.load_npz(features.interactions)
    seen = sparse.csr_array(sparse.load_npz(features.seen))
    seen.resize((seen.shape[0], len(universe)))
    return Evidence(
        ids=universe,
        exposure=exposure,
        users=users,
        categories=named.indices.to_numpy(),
        category_names=named.dictionary.to_pylist(),
        n_categories=pc.count_distinct(category).as_py(),
        available=available.to_numpy(zero_copy_only=False),
        popularity=np.bincount(interactions.indices, minlength=len(universe)),
        created=created.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False),
        factors=_factors(made.model, universe),
        seen=seen,
        explored=explored,
    )


def _lists(
    path: Path, user_ids: pa.Array, universe: pa.Array
) -> tuple[Ints, Exposure, Bools, pa.Array]:
    """Read the lists as positions, looking up each row group's distinct strings.

    Returns `Evidence.users`, `.exposure` and `.explored`, and the universe with whatever else the
    lists name at its end.
    """
    keys, names = [pa.array([], pa.string())], [pa.array([], pa.string())]
    lengths, items, explored = [np.zeros(1, np.int64)], [np.zeros(0, np.int32)], [np.zeros(0, bool)]
    n_names = 0
    for rows in read_lists(path, ["key", "item_ids", "codes"]):
        listed, codes = rows["item_ids"].flatten(), rows["codes"].flatten()
        keys.append(rows["key"])
        lengths.append(pc.list_value_length(rows["item_ids"]).to_numpy())
        items.append(listed.indices.to_numpy() + np.int32(n_names))
        names.append(listed.dictionary)
        n_names += len(listed.dictionary)
        dealt = pc.equal(codes.dictionary, "discover").to_numpy(zero_copy_only=False)
        explored.append(dealt[codes.indices.to_numpy()])
    named = pa.concat_arrays(names)
    strange = pc.unique(named.filter(pc.invert(pc.is_in(named, value_set=universe))))
    universe = pa.concat_arrays([universe, strange])
    exposure = Exposure(
        items=positions_of(named, universe)[np.concatenate(items)],
        offsets=np.cumsum(np.concatenate(lengths), dtype=np.int64),
        n_items=len(universe),
    )
    users = positions_of(pa.concat_arrays(keys), user_ids)
    return users, exposure, np.concatenate(explored), universe


def _factors(model: TrainedModel, universe: pa.Array) -> Floats:
    """Return the item factors in the order of `universe`, zeros where there are none."""
    saved = MODELS[model.name].kind.load(model.settings.parent, with_users=False)
    likeness = saved.likeness
    factors = np.zeros((len(universe), likeness.shape[1]))
    rows = positions_of(saved.item_ids, universe)
    factors[rows[rows >= 0]] = likeness[rows >= 0]
    return factors


def _read(path: Path, columns: list[str]) -> pa.Table:
    return pq.read_table(path, columns=columns, partitioning=None)


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()
