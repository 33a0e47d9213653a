"""Recompute lists and feature rows of some users with the night's own steps.

The steps run over the whole history of these users alone: the same features, the night's model with
these users folded in, the same exact lists and reasons.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from tasks.artifacts.factors import load_matrix, save_matrix
from tasks.artifacts.records import Features, GenerationFiles, Lists
from tasks.features.build import build_features
from tasks.io.columns import ID, positions_of
from tasks.io.parquet import read_column
from tasks.models.base import Histories
from tasks.models.registry import MODELS
from tasks.publish.keyspace import Family, families
from tasks.recommend.topn import make_lists
from tasks.refresh.new_events import NOBODY, TrackedEvents
from tasks.runs.run_folder import Run
from tasks.runs.saved_run import lists_file


@dataclass(frozen=True)
class Recomputed:
    """Values of lists and feature rows by user, who may lack either, and of item rows.

    `lists` are by model, the default first; `items` are the rows of the items that these users
    acted on.
    """

    lists: dict[str, dict[str, bytes]]
    rows: dict[str, bytes]
    items: dict[str, bytes]


def recompute(tracked: TrackedEvents, users: Collection[str]) -> Recomputed:
    """Recompute the users' lists and feature rows from their events up to `tracked.now`.

    A user without a positive event on an item of the model gets no list, a user without events no
    row. Memory and disk are those of these users' history and lists.
    """
    served = tracked.served
    with TemporaryDirectory(dir=served.run.folder, prefix=".refresh-") as folder:
        run = Run(served.run.namespace, served.run.generation, tracked.now, Path(folder))
        built = build_features(run, tracked.history(users, run), served.weighing)
        items = run.path("features/acted_on.parquet")
        tracked.items_of(users, items)
        lists = {name: _lists(tracked, run, built, name).path for name in served.models}
        files = GenerationFiles(lists, None, None, built.users, items)
        *of_models, rows, of_items = map(_values, families(run, files))
        return Recomputed(dict(zip(lists, of_models, strict=True)), rows, of_items)


def _lists(tracked: TrackedEvents, run: Run, built: Features, name: str) -> Lists:
    """Fold the users into a model and make their lists."""
    served = tracked.served
    model = MODELS[name].kind.load(served.file(f"model/{name}"), with_users=False)
    ids, histories, seen = _of_model(built, model.item_ids)
    features = replace(
        built,
        items=served.file("features/items.parquet"),
        interactions=save_matrix(run.path("features/strengths.npz"), histories.strengths),
        recent=save_matrix(run.path("features/profiles.npz"), histories.recent),
        seen=save_matrix(run.path("features/masked.npz"), seen),
    )
    # The exposure cap and exploration weigh all users' lists against one another: not until the
    # next night.
    listing = replace(served.listing, max_item_share=1.0, explore_slots=0)
    file = lists_file(name, served.models[0])
    return make_lists(run, features, model.with_users(ids, histories), listing, file)


def _of_model(
    built: Features, item_ids: pa.StringArray
) -> tuple[pa.StringArray, Histories, sp.csr_matrix]:
    """Return the users to fold in, their histories and masks (users x the model's items)."""
    ids = read_column(built.user_ids, ID)
    known = read_column(built.item_ids, ID)
    columns = positions_of(item_ids, known)  # all there: `NOBODY` took to each
    strengths, recent, seen = (
        load_matrix(each)[:, columns] for each in (built.interactions, built.recent, built.seen)
    )
    for matrix in (strengths, recent, seen):
        matrix.sort_indices()
    rows = np.flatnonzero(np.diff((strengths > 0).indptr))
    rows = rows[pc.not_equal(ids.take(pa.array(rows)), NOBODY).to_numpy(zero_copy_only=False)]
    return ids.take(pa.array(rows)), Histories(strengths, recent).of(rows), seen[rows]


def _values(family: Family) -> dict[str, bytes]:
    """Return the values of a file's rows in Redis, by id."""
    values: dict[str, bytes] = {}
    for rows in family.batches():
        batch = rows.filter(pc.field(family.id_column) != NOBODY)
        ids = batch.column(family.id_column).to_pylist()
        values |= dict(zip(ids, family.encode(batch).values, strict=True))
    return values
