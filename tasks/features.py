"""Features: who took to what and how strongly, and a row for each user and item."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp
from pydantic import PositiveFloat

from tasks.duck import connect, one_file, query, write_query
from tasks.errors import NothingToLearn, SettingsError
from tasks.recent import recent_views
from tasks.records import CleanLog, Features
from tasks.run import Run, computed

#: A user's points stay below this, or sums of them could pass what int64 holds.
_MAX_POINTS = 2.0**62


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
    any item, `SettingsError` where weights are too large to add up.
    """
    names = ("user_ids", "item_ids", "users", "items")
    paths = {name: run.path(f"features/{name}.parquet") for name in names}
    with connect(run) as db:
        open_log(db, log, settings)
        shape = _number(db, run, settings)
        points = _points(db, shape)
        if not (points.data > 0).any():
            raise _nothing_to_learn(run, log, settings)
        seen = _seen(db, shape)
        _lend(db, points, shape)
        n_users = write_query(db, query("user_ids"), paths["user_ids"], {})
        n_items = write_query(db, query("item_ids"), paths["item_ids"], {})
        n_known = write_query(db, query("user_features"), paths["users"], {})
        n_catalogue = write_query(db, query("item_features"), paths["items"], {})
    liked = points > 0
    model = np.flatnonzero(np.diff(liked.indptr)), np.unique(liked.indices)
    matrix = _of_model(points, *model, 2.0**-32)
    return Features(
        interactions=_save(run.path("features/interactions.npz"), matrix),
        seen=_save(run.path("features/seen.npz"), _of_model(seen, *model, 1)),
        user_ids=paths["user_ids"],
        item_ids=paths["item_ids"],
        users=paths["users"],
        items=paths["items"],
        n_users=n_users,
        n_items=n_items,
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


def _number(db: duckdb.DuckDBPyConnection, run: Run, settings: FeatureSettings) -> tuple[int, int]:
    """Make the tables numbered_users, numbered_items and numbered_events.

    Returns how many users and items there are. All that follows adds up by number: text is looked
    at once.
    """
    kinds = {
        "seen": list(settings.seen),
        "rating_types": list(settings.rating_types),
        "view_types": list(settings.view_types),
    }
    decay = {"as_of": run.as_of, "half_life_days": settings.half_life_days}
    for table, known in (
        ("numbered_users", {}),
        ("numbered_items", {}),
        ("kinds", kinds),
        ("numbered_events", decay),
    ):
        db.execute(f"CREATE TEMP TABLE {table} AS {query(table)}", known)
    return len(db.table("numbered_users")), len(db.table("numbered_items"))


def _points(db: duckdb.DuckDBPyConnection, shape: tuple[int, int]) -> sp.csr_matrix:
    """Add up each user's points by item (int64, users x items, all of the log and catalogue)."""
    found = _columns(db, "user, item, points", "points <> 0")
    most = np.bincount(found["user"], np.abs(found["points"])).max(initial=0)
    if most > _MAX_POINTS:
        raise SettingsError(
            f"a user's events weigh {most / 2**32:.3g} in all, more than can be added up exactly "
            f"({_MAX_POINTS / 2**32:.3g}); make NIGHTSHELF_FEATURES__WEIGHTS smaller"
        )
    cells = found["points"], (found["user"], found["item"])
    points = sp.coo_matrix(cells, shape).tocsr()
    points.eliminate_zeros()
    return points


def _seen(db: duckdb.DuckDBPyConnection, shape: tuple[int, int]) -> sp.csr_matrix:
    """Return 1 where a list must not show the item (users x items, as in `_points`)."""
    found = _columns(db, "user, item", "is_seen")
    cells = np.ones(len(found["user"]), np.int64), (found["user"], found["item"])
    seen = sp.coo_matrix(cells, shape).tocsr()
    seen.data[:] = 1
    return seen


def _lend(db: duckdb.DuckDBPyConnection, points: sp.csr_matrix, shape: tuple[int, int]) -> None:
    """Make the views interactions(user, item, points) and recent(user, recent_views)."""
    users = np.repeat(np.arange(shape[0], dtype=np.int32), np.diff(points.indptr))
    cells = {"user": users, "item": points.indices, "points": points.data}
    db.from_arrow(pa.table(cells)).create_view("interactions")
    views = _columns(db, "user, item, epoch_us(ts) AS at_us", "is_view")
    ids = db.sql("SELECT item_id FROM numbered_items ORDER BY item").to_arrow_table()
    item_ids = ids.column("item_id").combine_chunks()
    recent = recent_views(views["user"], views["item"], views["at_us"], shape[0], item_ids)
    db.from_arrow(recent).create_view("recent")


def _columns(
    db: duckdb.DuckDBPyConnection, columns: str, condition: str
) -> dict[str, npt.NDArray[Any]]:
    """Return columns of the events for which a condition holds."""
    sql = f"SELECT {columns} FROM numbered_events WHERE {condition}"  # noqa: S608 - our own words
    return {name: np.asarray(column) for name, column in db.execute(sql).fetchnumpy().items()}


def _of_model(
    matrix: sp.csr_matrix, users: npt.NDArray[Any], items: npt.NDArray[Any], unit: float
) -> sp.csr_matrix:
    """Return the rows and columns of the model's users and items, in float32."""
    part = matrix[users][:, items]
    data, indices = (part.data * unit).astype(np.float32), part.indices.astype(np.int32)
    return sp.csr_matrix((data, indices, part.indptr.astype(np.int64)), shape=part.shape)


def _nothing_to_learn(run: Run, log: CleanLog, settings: FeatureSettings) -> NothingToLearn:
    found = ", ".join(f"{kind} ({n:,})" for kind, n in log.event_types.items()) or "no events"
    return NothingToLearn(
        f"{log.events}: up to {run.as_of:%Y-%m-%d %H:%M} UTC it holds {found}; none says "
        f"anything for an item. Types with a positive weight: "
        f"{', '.join(kind for kind, weight in settings.weights.items() if weight > 0)}. "
        "Check --as-of, or name your types in NIGHTSHELF_FEATURES__WEIGHTS."
    )


def _save(path: Path, matrix: sp.csr_matrix) -> Path:
    sp.save_npz(path, matrix, compressed=False)  # numpy stamps every entry 1980: same bytes
    return path
