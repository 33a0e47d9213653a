"""Small models and logs made by hand, and the definition of a list in plain Python."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from tasks.artifacts.catalogue import Catalogue
from tasks.artifacts.factors import Factors
from tasks.artifacts.records import (
    LIST_SCHEMA,
    CleanLog,
    Features,
    GenerationFiles,
    TrainedModel,
)
from tasks.artifacts.scoring import Scoring
from tasks.features.build import build_features
from tasks.features.settings import FeatureSettings
from tasks.ingest.daily_log import write_log
from tasks.io.parquet import write_parquet
from tasks.models.als.model import Als
from tasks.models.als.settings import TrainSettings
from tasks.models.als.train import Loss
from tasks.models.base import no_links
from tasks.models.training import save_model
from tasks.publish.keyspace import Family, families
from tasks.recommend.exact_search import Block
from tasks.runs.run_folder import Run

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)

#: (user, item, event type, time)
Event = tuple[str, str, str, datetime]


@dataclass(frozen=True)
class Problem:
    """Everything that the lists of a few users follow from."""

    users: Factors
    items: Factors
    categories: npt.NDArray[np.int32]
    available: npt.NDArray[np.bool_]
    seen: list[set[int]]
    unknown: int | None = None
    profiles: list[dict[int, float]] | None = None
    neighbours: list[dict[int, float]] | None = None

    @property
    def scoring(self) -> Scoring:
        links = [
            None if rows is None else matrix(rows, len(self.items))
            for rows in (self.profiles, self.neighbours)
        ]
        return Scoring(self.users, self.items, *links)

    def score(self, user: int, item: int) -> float:
        """Return the score by definition: the dense part, and the linked part where there is one.

        Weights of links are floats that float32 can hold.
        """
        dense = dot(self.users[user], self.items[item])
        if self.profiles is None or self.neighbours is None:
            return dense
        linked = 0.0
        for other, weight in sorted(self.profiles[user].items()):
            if item in self.neighbours[other]:
                linked += weight * self.neighbours[other][item]
        return dense + linked

    @property
    def alike(self) -> list[int]:
        """Numbers that are equal for items of one category; each of no known one is by itself."""
        known = self.categories.tolist()
        return [g if g != self.unknown else -1 - item for item, g in enumerate(known)]

    @property
    def catalogue(self) -> Catalogue:
        numbers = range(int(self.categories.max()) + 1)
        names = [f"c{number}" if number != self.unknown else "unknown" for number in numbers]
        ids = pa.array([f"i{number:05}" for number in range(len(self.items))])
        return Catalogue(ids, self.categories, names, self.available)

    @property
    def seen_matrix(self) -> sp.csr_matrix:
        return matrix([dict.fromkeys(sorted(mine), 1.0) for mine in self.seen], len(self.items))


def matrix(rows: Sequence[Mapping[int, float]], n_columns: int) -> sp.csr_matrix:
    """Build a CSR matrix of float32 from a mapping column -> value a row."""
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.array([column for row in rows for column in row], np.int32)
    values = np.array([value for row in rows for value in row.values()], np.float32)
    return sp.csr_matrix((values, indices, indptr), shape=(len(rows), n_columns))


def draw_links(rng: np.random.Generator, kind: str, n_users: int, n_items: int) -> dict[str, Any]:
    """Draw `profiles` and `neighbours`: none, with ties, of any size and sign, or nearly empty."""
    if kind == "none":
        return {"profiles": None, "neighbours": None}
    full = 0.02 if kind == "sparse" else 0.3

    def rows(n: int) -> list[dict[int, float]]:
        if kind == "ties":
            drawn = rng.choice([-1.0, 0.0, 0.5, 1.0], (n, n_items))
        elif kind == "signed":
            drawn = rng.standard_normal((n, n_items)) * 10.0 ** rng.uniform(-6, 6, (n, 1))
        else:
            drawn = rng.exponential(1.0, (n, n_items))
        there = rng.random((n, n_items)) < full * rng.random((n, 1)) * 2
        weights = drawn.astype(np.float32)
        return [
            {int(at): float(weights[row, at]) for at in np.flatnonzero(there[row])}
            for row in range(n)
        ]

    return {"profiles": rows(n_users), "neighbours": rows(n_items)}


def dot(left: Iterable[np.float32], right: Iterable[np.float32]) -> float:
    """Add up in float64 from the first to the last (Python 3.12's `sum` compensates)."""
    total = 0.0
    for a, b in zip(left, right, strict=True):
        total += float(a) * float(b)
    return total


def walked(
    ranked: Iterable[int], categories: Sequence[int], n: int, page_size: int, cap: int
) -> list[int]:
    """Walk `ranked` once, as a list is defined: what a page has no room for does not come back."""
    taken: list[int] = []
    for item in ranked:
        page = taken[len(taken) // page_size * page_size :]
        if [categories[other] for other in page].count(categories[item]) < cap:
            taken.append(item)
        if len(taken) == n:
            break
    return taken


def defined(problem: Problem, n: int, page_size: int, cap: int) -> list[list[tuple[int, float]]]:
    """Return every user's list by definition: (item, score), best first."""
    lists = []
    for user, seen in enumerate(problem.seen):
        scores = [problem.score(user, item) for item in range(len(problem.items))]
        allowed = [
            item for item in range(len(scores)) if problem.available[item] and item not in seen
        ]
        ranked = sorted(allowed, key=lambda item: (-scores[item], item))
        taken = walked(ranked, problem.alike, n, page_size, cap)
        lists.append([(item, scores[item]) for item in taken])
    return lists


def unpacked(blocks: Iterable[Block]) -> list[list[tuple[int, float]]]:
    """Turn blocks into lists like those of `defined`, checking that they follow on one another."""
    lists: list[list[tuple[int, float]]] = []
    for block in blocks:
        assert block.first == len(lists)
        for items, scores, length in zip(block.items, block.scores, block.lengths, strict=True):
            lists.append(list(zip(items[:length].tolist(), scores[:length].tolist(), strict=True)))
    return lists


def make_log(
    run: Run,
    events: Iterable[Event],
    items: Mapping[str, Mapping[str, Any]],
    users: Mapping[str, str | None] | None = None,
) -> CleanLog:
    """Write a clean log; an item is `{"category": ...}` with whatever else differs from usual."""
    stamp = pa.timestamp("us")
    event_rows = [
        {"user_id": user, "item_id": item, "event_type": kind, "ts": ts.replace(tzinfo=None)}
        for user, item, kind, ts in sorted(events, key=lambda event: event[3])
    ]
    item_rows = [
        {"item_id": item, "title": item.upper(), "available": True, "tags": [], **given}
        for item, given in sorted(items.items())
    ]
    user_rows = [{"user_id": user, "segment": name} for user, name in sorted((users or {}).items())]
    text = dict.fromkeys(("user_id", "item_id", "event_type"), pa.string())
    schemas = {
        "events": text | {"ts": stamp, "value": pa.float64(), "session_id": pa.string()},
        "items": {
            **dict.fromkeys(("item_id", "category", "title"), pa.string()),
            "price": pa.float64(),
            "available": pa.bool_(),
            "created_at": stamp,
            "tags": pa.list_(pa.string()),
            "image_url": pa.string(),
        },
        "users": {"user_id": pa.string(), "segment": pa.string(), "created_at": stamp},
    }
    paths = {}
    for name, rows in (("events", event_rows), ("items", item_rows), ("users", user_rows)):
        paths[name] = run.path(f"{name}.parquet")
        table = pa.Table.from_pylist(rows, pa.schema(schemas[name].items()))
        (write_log if name == "events" else write_parquet)(
            paths[name], table.schema, table.to_batches()
        )
    return CleanLog(
        events=paths["events"],
        items=paths["items"],
        users=paths["users"],
        quarantine=run.path("quarantine.parquet"),
        rows_read=len(event_rows),
        n_events=len(event_rows),
        n_items=len(item_rows),
        n_duplicates=0,
        n_after_as_of=0,
        n_quarantined=0,
        quarantined={},
        event_types={},
        set_aside={},
    )


@dataclass(frozen=True)
class Learnt:
    """A night up to its features."""

    run: Run
    log: CleanLog
    features: Features


def learn(
    root: Path,
    events: Iterable[Event],
    items: Mapping[str, Mapping[str, Any]],
    users: Mapping[str, str | None] | None = None,
    *,
    seen: Collection[str] = (),
    weights: Mapping[str, float] | None = None,
    generation: int = 1,
) -> Learnt:
    """Write a log and build its features; an event weighs 1 unless `weights` says otherwise."""
    run = Run("shop", generation, AS_OF, root)
    log = make_log(run, events, items, users)
    return Learnt(run, log, build_features(run, log, weighing(seen, weights)))


def weighing(
    seen: Collection[str] = (), weights: Mapping[str, float] | None = None
) -> FeatureSettings:
    """Weigh a view 1, unless told otherwise."""
    return FeatureSettings(weights=dict(weights or {"view": 1.0}), seen=tuple(seen))


def als_of(
    user_ids: pa.StringArray,
    item_ids: pa.StringArray,
    users: Factors,
    items: Factors,
    settings: TrainSettings | None = None,
) -> Als:
    """Return ALS of given factors; its loss is that of strengths of mean 1."""
    given = settings or TrainSettings()
    loss = Loss(given.alpha, given.dislikes, given.regularization, items.shape[1])
    links = no_links(len(users), len(items)), no_links(len(items), len(items))
    return Als(given, user_ids, item_ids, users, items, *links, loss._asdict())


def saved_als(
    run: Run,
    user_ids: pa.StringArray,
    item_ids: pa.StringArray,
    users: Factors,
    items: Factors,
) -> TrainedModel:
    """Save ALS of given factors in a run's folder."""
    return save_model(run, "als", als_of(user_ids, item_ids, users, items), None)


def read_lists(path: Path) -> dict[str, dict[str, list[Any]]]:
    """Return a file of lists by key."""
    return {row.pop("key"): row for row in pq.read_table(path).to_pylist()}


def make_shelves(run: Run, n_users: int = 20, *, mark: str = "m") -> tuple[Family, ...]:
    """Write a generation's files: lists whose items begin with `mark`, and a row for each id."""
    users, items = ([f"{kind}{at:04}" for at in range(n_users)] for kind in ("u", f"{mark}-"))
    lists = {
        "lists": dict.fromkeys(users, ("because", items[-1])),
        "popular": {name: ("popular", name) for name in ("all", "category:a b")},
        "similar": {item: ("similar", item) for item in items},
    }
    rows = {
        "users": [{"user_id": user, "segment": None, "first_seen": AS_OF} for user in users],
        "items": [{"item_id": item, "title": f"{item} \N{SNOWMAN}", "tags": []} for item in items],
    }
    paths = {}
    for name, reasons in lists.items():
        table = pa.Table.from_pylist(
            [
                _list_row(key, items[at % 7 :][:10], *why)
                for at, (key, why) in enumerate(reasons.items())
            ],
            LIST_SCHEMA,
        )
        paths[name] = run.path(f"lists/{name}.parquet")
        pq.write_table(table, paths[name])
    for name, content in rows.items():
        paths[name] = run.path(f"features/{name}.parquet")
        pq.write_table(pa.Table.from_pylist(content), paths[name])
    return families(run, GenerationFiles({"als": paths.pop("lists")}, **paths))


def _list_row(key: str, items: list[str], code: str, because: str) -> dict[str, Any]:
    scores = [1 / (3 + at) for at in range(len(items))]
    why = {"codes": [code] * len(items), "because": [because] * len(items)}
    return {"key": key, "item_ids": items, "scores": scores, **why}
