"""A log with a long tail, made for the benchmarks: as large as asked, in memory that stays small.

An item's popularity falls with its rank to the power of -0.9; a user's activity is Pareto
distributed. Three events in ten follow popularity alone, the others one of the user's three
tastes, each a category, and popularity within it. The same numbers give the same log.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.schema import EVENTS, ITEMS, USERS, write

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 90
N_CATEGORIES = 200
#: Types with their shares, and whether an event of the type has a value.
TYPES = {
    "view": (0.62, False),
    "click": (0.18, False),
    "add_to_cart": (0.08, False),
    "purchase": (0.07, True),
    "rating": (0.04, True),
    "return": (0.01, True),
}
_BATCH = 1_000_000
_COLUMNS = ("user_id", "item_id", "event_type", "ts", "value")

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LogSize:
    """Numbers of users and items to draw from, and of events to draw."""

    users: int
    items: int
    events: int
    seed: int = 1

    def __str__(self) -> str:
        return f"{self.users:,} users x {self.items:,} items, {self.events:,} events"


@dataclass(frozen=True)
class MadeLog:
    """The log's files: events in order of time, items in order of id, users' segments."""

    events: Path
    items: Path
    users: Path | None

    @staticmethod
    def of(folder: Path) -> "MadeLog":
        """Return where in a folder the files stand."""
        return MadeLog(*(folder / f"{name}.parquet" for name in ("events", "items", "users")))


def make_log(folder: Path, size: LogSize) -> MadeLog:
    """Write `events.parquet`, `items.parquet` and `users.parquet` to a folder."""
    rng = np.random.default_rng(size.seed)
    users = _Users.of(rng, size)
    log = MadeLog.of(folder)
    items = {
        "item_id": _ids("i", size.items),
        "category": pa.array([f"c{number:03d}" for number in users.category_of_item()]),
        "title": pa.array([f"Item {number}" for number in range(size.items)]),
        "price": pa.array(np.round(rng.lognormal(3, 1, size.items), 2)),
    }
    segments = pa.array([f"s{number}" for number in rng.integers(0, 8, size.users)])
    people = {"user_id": _ids("u", size.users), "segment": segments}
    write(log.items, _schema(ITEMS, items), [_batch(items)])
    write(folder / "users.parquet", _schema(USERS, people), [_batch(people)])
    write(log.events, _schema(EVENTS, _COLUMNS), _events(rng, users, size))
    return log


@dataclass(frozen=True)
class _Users:
    """Users' activity and tastes. Items stand in order of category.

    `activity` and `popularity` are cumulated; `shuffle` turns a place into an item's number.
    """

    activity: npt.NDArray[np.float64]
    popularity: npt.NDArray[np.float64]
    category: Ints
    tastes: Ints
    shuffle: Ints

    @staticmethod
    def of(rng: np.random.Generator, size: LogSize) -> "_Users":
        shares = rng.dirichlet(np.ones(N_CATEGORIES))
        category = np.sort(rng.choice(N_CATEGORIES, size.items, p=shares))
        popularity = rng.permutation(np.arange(1.0, size.items + 1) ** -0.9)
        return _Users(
            activity=np.cumsum(rng.pareto(1.5, size.users) + 1),
            popularity=np.concatenate(([0.0], np.cumsum(popularity))),
            category=category,
            tastes=rng.choice(category, (size.users, 3)),  # so that no taste is an empty category
            shuffle=rng.permutation(size.items),
        )

    def category_of_item(self) -> Ints:
        """Return the category of item 0, 1, ..."""
        return self.category[np.argsort(self.shuffle)]

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Ints, Ints]:
        """Draw the users and items of `n` events."""
        user = np.searchsorted(self.activity, rng.random(n) * self.activity[-1], "right")
        taste = self.tastes[user, rng.choice(3, n, p=[0.6, 0.3, 0.1])]
        low = self.popularity[np.searchsorted(self.category, taste)]
        high = self.popularity[np.searchsorted(self.category, taste, "right")]
        anything = rng.random(n) < 0.3
        low[anything], high[anything] = 0.0, self.popularity[-1]
        place = np.searchsorted(self.popularity, low + rng.random(n) * (high - low), "right") - 1
        return user, self.shuffle[np.minimum(place, len(self.shuffle) - 1)]


def _events(rng: np.random.Generator, users: _Users, size: LogSize) -> Iterator[pa.RecordBatch]:
    """Yield the events, a stretch of time a batch."""
    user_ids, item_ids = _ids("u", size.users), _ids("i", size.items)
    kinds, shares = pa.array(TYPES.keys()), [share for share, _ in TYPES.values()]
    valued = np.array([has_value for _, has_value in TYPES.values()])
    bounds = np.append(np.arange(0, size.events, _BATCH), size.events)
    start_us = round((AS_OF - timedelta(days=DAYS)).timestamp()) * 1_000_000
    bounds_us = start_us + (bounds / size.events * DAYS * 86_400e6).astype(np.int64)
    for first, last, from_us, to_us in zip(
        bounds, bounds[1:], bounds_us, bounds_us[1:], strict=False
    ):
        n = int(last - first)
        user, item = users.draw(rng, n)
        kind = rng.choice(len(TYPES), n, p=shares)
        ts = pa.array(np.sort(rng.integers(from_us, to_us, n)))
        yield _batch(
            {
                "user_id": user_ids.take(pa.array(user)),
                "item_id": item_ids.take(pa.array(item)),
                "event_type": kinds.take(pa.array(kind)),
                "ts": ts.cast(EVENTS.field("ts").type),
                "value": pa.array(rng.integers(1, 6, n).astype(float), mask=~valued[kind]),
            }
        )


def _ids(letter: str, n: int) -> pa.StringArray:
    return pa.array([f"{letter}{number:07d}" for number in range(n)])


def _batch(columns: dict[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def _schema(whole: pa.Schema, names: Container[str]) -> pa.Schema:
    return pa.schema([field for field in whole if field.name in names])
