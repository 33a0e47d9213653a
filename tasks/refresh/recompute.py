"""Lists and feature rows of some users, made as the night makes those of all.

The night's own steps run over the whole history of these users alone: the same features, the model
as it stands with these users folded in, the same exact lists with the same reasons.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from tasks.artifacts.factors import load_factors, load_matrix, save_factors
from tasks.artifacts.records import Features, Lists, Model
from tasks.features.build import build_features
from tasks.io.parquet import write_table
from tasks.models.als.fold_in import fold_in
from tasks.publish.keyspace import Family, families
from tasks.recommend.topn import top_n
from tasks.refresh.new_events import NOBODY, Told
from tasks.runs.run_folder import Run


@dataclass(frozen=True)
class Fresh:
    """Lists and feature rows as Redis holds them, by user; a user may lack either.

    `items` are the rows of the items that these users acted on.
    """

    lists: dict[str, bytes]
    rows: dict[str, bytes]
    items: dict[str, bytes]


def relist(told: Told, users: Collection[str]) -> Fresh:
    """Make the users' lists and feature rows from all they did up to `told.now`.

    Who took to nothing that the model knows gets no list, and whom nobody knows no row. Memory and
    disk are those of these users' history and lists; the scratch folder goes with the call.
    """
    served = told.served
    with TemporaryDirectory(dir=served.run.folder, prefix=".refresh-") as folder:
        run = Run(served.run.namespace, served.run.generation, told.now, Path(folder))
        built = build_features(run, told.history(users, run), served.weighing)
        lists = _lists(told, run, built)
        path, items = lists.path, run.path("features/acted_on.parquet")
        told.items_of(users, items)
        listed, _, _, rows, acted_on = families(run, path, path, path, built.users, items)
        return Fresh(_values(listed), _values(rows), _values(acted_on))


def _lists(told: Told, run: Run, built: Features) -> Lists:
    """Fold the users in and make their lists."""
    served = told.served
    item_ids, items = load_factors(served.file("model/item_factors.parquet"))
    ids, strengths, seen = _of_model(built, item_ids)
    users = pa.table({"id": ids})
    write_table(run.path("features/folded_ids.parquet"), users)
    features = replace(
        built,
        user_ids=run.path("features/folded_ids.parquet"),
        item_ids=served.file("features/item_ids.parquet"),
        items=served.file("features/items.parquet"),
        interactions=_save(run.path("features/strengths.npz"), strengths),
        seen=_save(run.path("features/masked.npz"), seen),
        n_users=len(ids),
        n_items=len(item_ids),
    )
    factors = fold_in(strengths, items, served.training)
    model = Model(
        user_factors=save_factors(
            run.path("model/user_factors.parquet"), features.user_ids, factors
        ),
        item_factors=served.file("model/item_factors.parquet"),
        n_users=len(ids),
        n_items=len(item_ids),
        n_factors=items.shape[1],
        settings=served.file("model/settings.json"),
        digest="",
    )
    # Ceiling and exploration weigh all users' lists against one another: they rest until the night.
    listing = replace(served.listing, max_item_share=1.0, explore_slots=0)
    return top_n(run, features, model, listing, served.training)


def _of_model(
    built: Features, item_ids: pa.StringArray
) -> tuple[pa.StringArray, sp.csr_matrix, sp.csr_matrix]:
    """Return who can be folded in, and their strengths and masks (users x the model's items)."""
    ids = pq.read_table(built.user_ids).column("id").combine_chunks()
    known = pq.read_table(built.item_ids).column("id").combine_chunks()
    columns = pc.index_in(item_ids, known).to_numpy()  # all there: somebody took to each
    strengths = load_matrix(built.interactions)[:, columns]
    rows = np.flatnonzero(np.diff((strengths > 0).indptr))
    rows = rows[pc.not_equal(ids.take(pa.array(rows)), NOBODY).to_numpy(zero_copy_only=False)]
    return ids.take(pa.array(rows)), strengths[rows], load_matrix(built.seen)[rows][:, columns]


def _save(path: Path, matrix: sp.csr_matrix) -> Path:
    matrix.sort_indices()
    sp.save_npz(path, matrix, compressed=False)
    return path


def _values(family: Family) -> dict[str, bytes]:
    """Return what a file's rows are in Redis, by id."""
    values: dict[str, bytes] = {}
    for rows in family.batches():
        batch = rows.filter(pc.field(family.id_column) != NOBODY)
        ids = batch.column(family.id_column).to_pylist()
        values |= dict(zip(ids, family.encode(batch).values, strict=True))
    return values
