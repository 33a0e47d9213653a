"""A night's totals as files: the matrices with their ids, the rows of users and items."""

from pathlib import Path
from typing import TypedDict

import duckdb
import numpy as np
import pyarrow as pa

from tasks.artifacts.factors import save_matrix
from tasks.features.aggregate import NEVER, Totals
from tasks.features.arrays import Ints, Longs
from tasks.io.columns import ID, ITEM_ID, USER_ID
from tasks.io.duckdb_session import query, stream, write_query
from tasks.io.jit import Flags
from tasks.io.parquet import write_parquet, write_table
from tasks.runs.run_folder import Run

#: A list column as DuckDB names its field.
_LIST = pa.list_(pa.field("l", pa.string()))


class ModelFiles(TypedDict):
    """The model's input, as fields of `Features`."""

    interactions: Path
    recent: Path
    seen: Path
    user_ids: Path
    item_ids: Path
    n_users: int
    n_items: int
    n_cold: int
    n_interactions: int


def write_model(run: Run, totals: Totals, item_ids: pa.StringArray, cold: Flags) -> ModelFiles:
    """Write the matrices and the ids of their rows and columns; uses up the cells.

    Columns are the items that a user took, and the `cold` ones, which are empty.
    """
    items = totals.items.taken | cold
    matrix, recent = totals.matrices(totals.liked, items)
    seen, *_ = totals.matrices(totals.seen, items)
    return ModelFiles(
        interactions=save_matrix(run.path("features/interactions.npz"), matrix),
        recent=save_matrix(run.path("features/recent.npz"), recent),
        seen=save_matrix(run.path("features/seen.npz"), seen),
        user_ids=_write_ids(run.path("features/user_ids.parquet"), totals.ids, totals.users.taken),
        item_ids=_write_ids(run.path("features/item_ids.parquet"), item_ids, items),
        n_users=matrix.shape[0],
        n_items=matrix.shape[1],
        n_cold=int(np.count_nonzero(cold)),
        n_interactions=matrix.nnz,
    )


def write_users(
    run: Run,
    db: duckdb.DuckDBPyConnection,
    totals: Totals,
    item_ids: pa.StringArray,
    categories: pa.StringArray,
) -> tuple[Path, int]:
    """Write the rows of all users (view: users); return path and number of rows."""
    path = run.path("features/users.parquet")
    db.from_arrow(_user_totals(totals)).create_view("active")
    reader = stream(db, query("features/user_features"), {})
    nobody = pa.RecordBatch.from_pylist([], reader.schema)
    schema = _with_lists(nobody, totals, item_ids, categories).schema
    batches = (_with_lists(batch, totals, item_ids, categories) for batch in reader)
    return path, write_parquet(path, schema, batches)


def write_items(
    run: Run, db: duckdb.DuckDBPyConnection, totals: Totals, item_ids: pa.StringArray
) -> tuple[Path, int]:
    """Write the rows of all items (view: items); return path and number of rows."""
    path, items = run.path("features/items.parquet"), totals.items
    columns = {ITEM_ID: item_ids, "first_seen": _instants(items.first_us)}
    for name in ("points_high", "points_low", "ratings", "rated_high", "rated_low"):
        columns[name] = getattr(items, name)
    db.from_arrow(pa.table(columns)).create_view("taken")
    return path, write_query(db, query("features/item_features"), path, {})


def _user_totals(totals: Totals) -> pa.Table:
    """Return the log's users as a table; `number` is their place in `totals`."""
    users = totals.users
    table = pa.table(
        {
            USER_ID: totals.ids,
            "first_seen": _instants(users.first_us),
            "last_seen": _instants(users.last_us),
            "events": users.events,
            "total_purchases": users.purchases,
            "ratings": users.ratings,
            "rated_high": users.rated_high,
            "rated_low": users.rated_low,
            "number": np.arange(len(totals.ids)),
        }
    )
    return table.filter(pa.array(users.events > 0))


def _with_lists(
    rows: pa.RecordBatch, totals: Totals, item_ids: pa.StringArray, categories: pa.StringArray
) -> pa.RecordBatch:
    """Replace the column `number`, -1 for a user without events, by the user's lists."""
    number = rows.column("number").to_numpy()
    lists = (
        ("favorite_categories", totals.users.favourites, categories),
        ("recent_views", totals.users.recent, item_ids),
    )
    rows = rows.drop_columns(["number"])
    for name, positions, names in lists:
        own = np.where(number[:, None] >= 0, positions[number], np.int32(-1))
        rows = rows.append_column(pa.field(name, _LIST), _lists(own, names))
    return rows


def _instants(us: Longs) -> pa.Array:
    """Return microseconds as timestamps, null for `NEVER`."""
    return pa.array(us, pa.int64(), mask=us == NEVER).view(pa.timestamp("us"))


def _lists(positions: Ints, names: pa.StringArray) -> pa.ListArray:
    """Return the names at each row's positions, without those that are -1."""
    named = positions >= 0
    offsets = np.concatenate(([0], np.cumsum(named.sum(axis=1)))).astype(np.int32)
    values = names.take(pa.array(positions[named]))
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=_LIST)


def _write_ids(path: Path, ids: pa.StringArray, kept: Flags) -> Path:
    """Write the ids of the model, in ascending order."""
    write_table(path, pa.table({ID: ids.filter(pa.array(kept))}))
    return path
