"""What a night has added up, written: the matrices with their ids, the rows of users and items."""

from pathlib import Path
from typing import TypedDict

import duckdb
import pyarrow as pa
import scipy.sparse as sp

from tasks.features.aggregate import Tally
from tasks.features.rows import item_rows, user_rows, with_lists
from tasks.io.duckdb_session import query, stream, write_query
from tasks.io.jit import Flags
from tasks.io.parquet import write_parquet, write_table
from tasks.runs.run_folder import Run


class ModelFiles(TypedDict):
    """What the model learns from, as `Features` has it."""

    interactions: Path
    seen: Path
    user_ids: Path
    item_ids: Path
    n_users: int
    n_items: int
    n_interactions: int


def write_model(run: Run, told: Tally, item_ids: pa.StringArray) -> ModelFiles:
    """Write both matrices and the ids of their rows and columns; uses up the cells."""
    matrix = told.matrix(told.liked)
    return ModelFiles(
        interactions=_save(run.path("features/interactions.npz"), matrix),
        seen=_save(run.path("features/seen.npz"), told.matrix(told.seen)),
        user_ids=_write_ids(run.path("features/user_ids.parquet"), told.ids, told.users.taken),
        item_ids=_write_ids(run.path("features/item_ids.parquet"), item_ids, told.items.taken),
        n_users=matrix.shape[0],
        n_items=matrix.shape[1],
        n_interactions=matrix.nnz,
    )


def write_users(
    run: Run,
    db: duckdb.DuckDBPyConnection,
    told: Tally,
    item_ids: pa.StringArray,
    categories: pa.StringArray,
) -> tuple[Path, int]:
    """Write the rows of all users (view: users); returns where, and how many."""
    path = run.path("features/users.parquet")
    db.from_arrow(user_rows(told)).create_view("active")
    reader = stream(db, query("features/user_features"), {})
    nobody = pa.RecordBatch.from_pylist([], reader.schema)
    schema = with_lists(nobody, told, item_ids, categories).schema
    batches = (with_lists(batch, told, item_ids, categories) for batch in reader)
    return path, write_parquet(path, schema, batches)


def write_items(
    run: Run, db: duckdb.DuckDBPyConnection, told: Tally, item_ids: pa.StringArray
) -> tuple[Path, int]:
    """Write the rows of all items (view: items); returns where, and how many."""
    path = run.path("features/items.parquet")
    db.from_arrow(item_rows(told, item_ids)).create_view("taken")
    return path, write_query(db, query("features/item_features"), path, {})


def _write_ids(path: Path, ids: pa.StringArray, taken: Flags) -> Path:
    """Write the ids of the model, in ascending order."""
    write_table(path, pa.table({"id": ids.filter(pa.array(taken))}))
    return path


def _save(path: Path, matrix: sp.csr_matrix) -> Path:
    sp.save_npz(path, matrix, compressed=False)  # numpy stamps every entry 1980: same bytes
    return path
