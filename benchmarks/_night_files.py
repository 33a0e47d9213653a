"""A made-up night's files, as the pipeline leaves them before it publishes."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tasks.artifacts.list_tables import list_batch
from tasks.artifacts.records import LIST_SCHEMA, GenerationFiles
from tasks.io.parquet import write_parquet, write_table
from tasks.publish.keyspace import Family, families
from tasks.runs.run_folder import Run

N_ITEMS, LENGTH, REASONS = 20_000, 50, 8
_LISTS_A_BATCH = 512  # as `tasks/recommend/topn.py` hands them over
_SEGMENTS = 40


def make_night(run: Run, n_users: int) -> tuple[Family, ...]:
    """Write lists of `LENGTH` for users, segments and items, and a feature row for each id.

    Item ids begin with the generation, so that an answer shows which it is of.
    """
    rng = np.random.default_rng(1)
    users = pa.array([f"user{at:07}" for at in range(n_users)])
    items = pa.array([f"{run.generation}-{at:05}" for at in range(N_ITEMS)])
    segments = pa.array(["all", *(f"category:c{at}" for at in range(_SEGMENTS))])
    lists = {"lists": users, "popular": segments, "similar": items}
    paths = {name: run.path(f"lists/{name}.parquet") for name in lists}
    for name, keys in lists.items():
        write_parquet(paths[name], LIST_SCHEMA, _lists(keys, items, name == "lists", rng))
    rows = {"users": _user_rows(users, items, rng), "items": _item_rows(items, rng)}
    for name, table in rows.items():
        paths[name] = run.path(f"features/{name}.parquet")
        write_table(paths[name], table)
    return families(run, GenerationFiles({"als": paths.pop("lists")}, **paths))


def _lists(
    keys: pa.Array, items: pa.Array, personal: bool, rng: np.random.Generator
) -> Iterator[pa.RecordBatch]:
    """Yield lists whose scores fall, with `REASONS` reasons each where they are a user's."""
    for first in range(0, len(keys), _LISTS_A_BATCH):
        ours = keys.slice(first, _LISTS_A_BATCH)
        size = (len(ours), LENGTH)
        scores = -np.sort(-rng.gamma(2, 0.2, size), axis=1)
        shown = items.take(pa.array((rng.beta(1, 3, size) * N_ITEMS).astype(int).ravel()))
        liked = rng.integers(N_ITEMS, size=(len(ours), REASONS)) if personal else np.arange(1)
        which = rng.integers(REASONS, size=size) if personal else np.zeros(size, int)
        because = np.take_along_axis(liked, which, 1) if personal else np.zeros(size, int)
        code = pa.array(np.full(scores.size, "because" if personal else "similar"))
        lengths = np.full(len(ours), LENGTH)
        because_ids = items.take(pa.array(because.ravel()))
        yield list_batch(ours, lengths, shown, scores.ravel(), code, because_ids)


def _user_rows(users: pa.Array, items: pa.Array, rng: np.random.Generator) -> pa.Table:
    n = len(users)
    return pa.table(
        {
            "user_id": users,
            "segment": pa.array(np.array(["new", "regular", "vip"])[rng.integers(3, size=n)]),
            "created_at": _times(n, rng),
            "first_seen": _times(n, rng),
            "last_seen": _times(n, rng),
            "events": rng.integers(1, 300, n),
            "total_purchases": rng.integers(0, 40, n),
            "avg_rating": pa.array(np.round(rng.uniform(1, 5, n), 3), mask=rng.random(n) < 0.3),
            "favorite_categories": _names(n, 3, pa.array([f"c{at}" for at in range(40)]), rng),
            "recent_views": _names(n, 10, items, rng),
        }
    )


def _item_rows(items: pa.Array, rng: np.random.Generator) -> pa.Table:
    n = len(items)
    return pa.table(
        {
            "item_id": items.sort(),
            "title": pa.array([f"Lamp no. {at}" for at in range(n)]),
            "category": pa.array([f"c{at % 40}" for at in range(n)]),
            "price": np.round(rng.gamma(2, 15, n), 2),
            "available": rng.random(n) < 0.9,
            "created_at": _times(n, rng),
            "tags": _names(n, 2, pa.array(["red", "blue", "oak", "brass"]), rng),
            "popularity_score": rng.gamma(1, 1, n),
            "num_ratings": rng.integers(0, 500, n),
        }
    )


def _times(n: int, rng: np.random.Generator) -> pa.Array:
    seconds = rng.integers(1_735_000_000, 1_770_000_000, n)
    return pa.array(seconds * 1_000_000, pa.timestamp("us", "UTC"))


def _names(n: int, each: int, names: pa.Array, rng: np.random.Generator) -> pa.Array:
    chosen = names.take(pa.array(rng.integers(len(names), size=n * each)))
    return pa.ListArray.from_arrays(
        pa.array(np.arange(0, n * each + 1, each, dtype=np.int32)), chosen
    )
