"""A night's folder made by hand: small, lawful, and every figure of it known."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from nightshelf.contract.values import Manifest
from tasks.artifacts.records import (
    LIST_SCHEMA,
    CleanLog,
    Features,
    Lists,
    Made,
    Staged,
    TrainedModel,
)
from tasks.ingest.daily_log import TEXTS, write_log
from tasks.runs.run_folder import Run
from tests.tasks.small_models import saved_als

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
#: Users who have a segment.
SEGMENTS = {"u1": "gold", "u2": "new"}


@dataclass(frozen=True)
class Night:
    """All records that measure and write_report take."""

    run: Run
    clean: CleanLog
    features: Features
    model: TrainedModel
    lists: Lists
    popular: Lists
    similar: Lists
    staged: Staged

    @property
    def made(self) -> Made:
        """All that was computed."""
        models, lists = {"als": self.model}, {"als": self.lists}
        return Made(self.clean, self.features, models, lists, self.popular, self.similar)


def make_night(
    root: Path,
    *,
    catalogue: Mapping[str, tuple[str | None, bool]],
    lists: Mapping[str, Sequence[str]],
    history: Mapping[str, Sequence[str]],
    explored: Mapping[str, Collection[str]] | None = None,
    seen: Mapping[str, Sequence[str]] | None = None,
    factors: Mapping[str, Sequence[float]] | None = None,
    only_in_file: int = 0,
    quarantined: Mapping[str, int] | None = None,
    set_aside: Mapping[str, str] | None = None,
    namespace: str = "shop",
    generation: int = 7,
) -> Night:
    """Write the folder.

    `catalogue` gives each item's category and whether it is available; `history` what each user
    took, a day each; `explored` the items of each list that were dealt to explore; `only_in_file`
    counts users known without any event.
    """
    run = Run(namespace, generation, AS_OF, root)
    users = sorted(history)
    items = sorted({item for taken in history.values() for item in taken})
    factors = factors if factors is not None else dict.fromkeys(items, (1.0, 0.0))
    n_events = sum(map(len, history.values()))
    quarantined = dict(quarantined or {})
    clean = CleanLog(
        events=_events(run, history),
        items=_table(run, "items", _catalogue(catalogue)),
        users=run.path("users.parquet"),
        quarantine=run.path("quarantine.parquet"),
        rows_read=n_events + sum(quarantined.values()),
        n_events=n_events,
        n_items=len(catalogue),
        n_duplicates=0,
        n_after_as_of=0,
        n_quarantined=sum(quarantined.values()),
        quarantined=quarantined,
        event_types={"view": n_events},
        set_aside=dict(set_aside or {}),
    )
    features = Features(
        interactions=_matrix(run, "interactions", history, users, items),
        recent=_matrix(run, "recent", history, users, items),
        seen=_matrix(run, "seen", seen if seen is not None else history, users, items),
        user_ids=_table(run, "features/user_ids", {"id": pa.array(users, pa.string())}),
        item_ids=_table(run, "features/item_ids", {"id": pa.array(items, pa.string())}),
        users=_table(run, "features/users", _user_rows(history, only_in_file)),
        items=_table(run, "features/items", _catalogue(catalogue)),
        n_users=len(users),
        n_items=len(items),
        n_interactions=n_events,
        n_known_users=len(users) + only_in_file,
        n_catalogue=len(catalogue),
        n_days=1,
        n_days_new=1,
    )
    return Night(
        run,
        clean,
        features,
        _model(run, users, factors),
        *_lists(run, lists, explored or {}),
        staged=_staged(run),
    )


def _catalogue(catalogue: Mapping[str, tuple[str | None, bool]]) -> dict[str, pa.Array]:
    """Items with a title each, and no picture."""
    items, n = sorted(catalogue), len(catalogue)
    return {
        "item_id": pa.array(items, pa.string()),
        "category": pa.array([catalogue[item][0] for item in items], pa.string()),
        "available": pa.array([catalogue[item][1] for item in items], pa.bool_()),
        "title": pa.array([f"The {item}" for item in items], pa.string()),
        "image_url": pa.nulls(n, pa.string()),
        "created_at": pa.nulls(n, pa.timestamp("us")),
        "first_seen": pa.nulls(n, pa.timestamp("us")),
    }


def _user_rows(history: Mapping[str, Sequence[str]], only_in_file: int) -> dict[str, pa.Array]:
    """Everybody with a history was here a day ago."""
    seen = (AS_OF - timedelta(days=1)).replace(tzinfo=None)
    events = [len(history[user]) for user in sorted(history)] + [0] * only_in_file
    users = [*sorted(history), *(f"only in the file {n}" for n in range(only_in_file))]
    return {
        "user_id": pa.array(users, pa.string()),
        "segment": pa.array([SEGMENTS.get(user) for user in users], pa.string()),
        "events": pa.array(events, pa.int64()),
        "last_seen": pa.array([seen if n else None for n in events], pa.timestamp("us")),
    }


def _events(run: Run, history: Mapping[str, Sequence[str]]) -> Path:
    taken = [
        {
            "user_id": user,
            "item_id": item,
            "event_type": "view",
            "ts": (AS_OF - timedelta(days=1 + depth)).replace(tzinfo=None),
            "value": None,
        }
        for user, items in history.items()
        for depth, item in enumerate(items)
    ]
    schema = pa.schema(
        [
            *((name, pa.string()) for name in TEXTS),
            ("ts", pa.timestamp("us")),
            ("value", pa.float64()),
        ]
    )
    table = pa.Table.from_pylist(sorted(taken, key=itemgetter("ts")), schema)
    path = run.path("events.parquet")
    write_log(path, schema, table.to_batches())
    return path


def _matrix(
    run: Run, name: str, pairs: Mapping[str, Sequence[str]], users: list[str], items: list[str]
) -> Path:
    cells = [
        (users.index(user), items.index(item)) for user in sorted(pairs) for item in pairs[user]
    ]
    rows, columns = np.array(cells, np.int32).reshape(-1, 2).T
    values = np.ones(len(cells), np.float32)
    path = run.path(f"features/{name}.npz")
    shape = (len(users), len(items))
    sparse.save_npz(path, sparse.csr_matrix((values, (rows, columns)), shape=shape))
    return path


def _model(run: Run, users: list[str], factors: Mapping[str, Sequence[float]]) -> TrainedModel:
    n_factors = len(next(iter(factors.values()), (0.0, 0.0)))
    items = np.array(list(factors.values()), np.float32).reshape(len(factors), n_factors)
    ones = np.ones((len(users), n_factors), np.float32)
    ids = pa.array(users, pa.string()), pa.array(list(factors), pa.string())
    return saved_als(run, *ids, ones, items)


def _lists(
    run: Run, lists: Mapping[str, Sequence[str]], explored: Mapping[str, Collection[str]]
) -> tuple[Lists, Lists, Lists]:
    made = []
    for family, content in (("lists", lists), ("popular", {"all": ["a"]}), ("similar", {})):
        rows = [
            {
                "key": key,
                "item_ids": list(items),
                "scores": [1.0] * len(items),
                "codes": [
                    "discover" if item in explored.get(key, ()) else "taste" for item in items
                ],
                "because": [""] * len(items),
            }
            for key, items in content.items()
        ]
        path = run.path(f"lists/{family}.parquet")
        pq.write_table(pa.Table.from_pylist(rows, LIST_SCHEMA), path)
        made.append(Lists(path, len(rows), 0))
    own, popular, similar = made
    return own, popular, similar


def _staged(run: Run) -> Staged:
    path = run.path("manifest.json")
    counts = {"list": 3, "popular": 1}
    path.write_bytes(Manifest(7, AS_OF.isoformat(), counts=counts).to_json())
    return Staged(path, n_keys=4, n_bytes=4_200, digest="d1")


def _table(run: Run, name: str, columns: Mapping[str, pa.Array]) -> Path:
    path = run.path(f"{name}.parquet")
    pq.write_table(pa.table(dict(columns)), path)
    return path
