"""Features: who took to what and how strongly, and a row for each user and item."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from pydantic import PositiveFloat

from tasks.duck import connect, one_file, query, write_query
from tasks.errors import NothingToLearn
from tasks.records import CleanLog, Features
from tasks.run import Run, computed


@dataclass(frozen=True)
class FeatureSettings:
    """What an event says.

    - `weights`: how much an event of a type says for an item, or against it where negative. A type
      that is not named, or weighs 0, teaches the model nothing.
    - `half_life_days`: after so many days an event says half as much.
    - `seen`: types after which an item is not recommended to that user again.
    - `rating_types`, `view_types`: types whose `value` is a rating; types that are views.
    """

    weights: dict[str, float] = field(
        default_factory=lambda: {
            "purchase": 5.0,
            "like": 4.0,
            "add_to_cart": 3.0,
            "wishlist_add": 2.0,
            "rating": 1.0,
            "click": 1.0,
            "view": 1.0,
            "impression": 0.0,
            "dislike": -3.0,
            "return": -5.0,
        }
    )
    half_life_days: PositiveFloat = 60.0
    seen: tuple[str, ...] = ("purchase", "like", "rating", "dislike", "return")
    rating_types: tuple[str, ...] = ("rating", "like", "dislike")
    view_types: tuple[str, ...] = ("view", "click")


@computed
def build_features(run: Run, log: CleanLog, settings: FeatureSettings) -> Features:
    """Turn the clean log into the interaction matrix and the feature rows.

    Same log, same settings, same bytes. Raises `NothingToLearn` where no event says anything for
    any item.
    """
    with connect(run) as db:
        open_log(db, log, settings)
        _weigh(db, run, log, settings)
        users, items = (_write_ids(db, run, side) for side in ("user", "item"))
        shape = (users[1], items[1])
        matrix = _matrix(db, query("matrix"), {}, shape)
        seen = _matrix(db, query("seen"), {"seen": list(settings.seen)}, shape)
        types = {"rating_types": list(settings.rating_types)}
        views = {"view_types": list(settings.view_types)}
        user_rows = run.path("features/users.parquet")
        item_rows = run.path("features/items.parquet")
        n_known = write_query(db, query("user_features"), user_rows, types | views)
        n_catalogue = write_query(db, query("item_features"), item_rows, types)
    return Features(
        interactions=_save(run.path("features/interactions.npz"), matrix),
        seen=_save(run.path("features/seen.npz"), seen),
        user_ids=users[0],
        item_ids=items[0],
        users=user_rows,
        items=item_rows,
        n_users=users[1],
        n_items=items[1],
        n_interactions=matrix.nnz,
        n_known_users=n_known,
        n_catalogue=n_catalogue,
    )


def open_log(db: duckdb.DuckDBPyConnection, log: CleanLog, settings: FeatureSettings) -> None:
    """Make the views events, items and users, and the table weights(event_type, weight)."""
    for name, path in (("events", log.events), ("items", log.items), ("users", log.users)):
        db.read_parquet(one_file(path)).create_view(name)
    weights = pa.table(
        {
            "event_type": pa.array(settings.weights.keys(), pa.string()),
            "weight": pa.array(settings.weights.values(), pa.float64()),
        }
    )
    db.from_arrow(weights).create("weights")


def _weigh(
    db: duckdb.DuckDBPyConnection, run: Run, log: CleanLog, settings: FeatureSettings
) -> None:
    """Make the table interactions(user_id, item_id, points)."""
    db.execute(
        f"CREATE TEMP TABLE interactions AS {query('interactions')}",
        {"as_of": run.as_of, "half_life_days": settings.half_life_days},
    )
    if not db.execute("SELECT count(*) FROM interactions WHERE points > 0").fetchall()[0][0]:
        found = ", ".join(f"{kind} ({n:,})" for kind, n in log.event_types.items()) or "no events"
        raise NothingToLearn(
            f"{log.events}: up to {run.as_of:%Y-%m-%d %H:%M} UTC it holds {found}; none says "
            f"anything for an item. Types with a positive weight: "
            f"{', '.join(kind for kind, weight in settings.weights.items() if weight > 0)}. "
            "Check --as-of, or name your types in NIGHTSHELF_FEATURES__WEIGHTS."
        )


def _write_ids(db: duckdb.DuckDBPyConnection, run: Run, side: str) -> tuple[Path, int]:
    """Write the ids of the matrix's rows or columns, and make <side>_map(id, position)."""
    path = run.path(f"features/{side}_ids.parquet")
    n = write_query(db, query(f"{side}_ids"), path, {})
    db.sql(
        "SELECT id, row_number() OVER (ORDER BY id) - 1 AS position FROM read_parquet($path)",
        params={"path": one_file(path)},
    ).create(f"{side}_map")
    return path, n


def _matrix(
    db: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any], shape: tuple[int, int]
) -> sp.csr_matrix:
    """Build a CSR matrix of float32 from (row, col, value) in row order."""
    cells = db.execute(sql, parameters).fetchnumpy()
    counts = np.bincount(cells["row"], minlength=shape[0])
    indptr = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    data, indices = cells["value"].astype(np.float32), cells["col"].astype(np.int32)
    return sp.csr_matrix((data, indices, indptr), shape=shape)


def _save(path: Path, matrix: sp.csr_matrix) -> Path:
    sp.save_npz(path, matrix, compressed=False)  # numpy stamps every entry 1980: same bytes
    return path
