"""Events tracked in the morning after a night of `tests.nightshelf_ops.night`, as collected."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from redis import Redis

from nightshelf.contract.keys import Keys
from tasks.refresh.refresh import Refreshed, refresh_lists
from tasks.refresh.served_generation import open_served
from tasks.refresh.settings import RefreshSettings
from tests.tasks.small_models import AS_OF

SHOP, KEYS = "shop", Keys("shop")
NOW = AS_OF + timedelta(hours=9)
SETTINGS = RefreshSettings(max_block_users=3)
COLLECTED = pa.schema(
    [
        *((name, pa.string()) for name in ("event_id", "user_id", "event_type", "item_id")),
        ("ts", pa.timestamp("us", "UTC")),
        ("value", pa.float64()),
        ("arrived_at", pa.timestamp("us", "UTC")),
        ("generation", pa.int64()),
    ]
)

#: (user, item or none, event type, time)
Action = tuple[str, str | None, str, datetime]


def at(minutes: float) -> datetime:
    """Return a time in the night's wake."""
    return AS_OF + timedelta(minutes=minutes)


def collect(folder: Path, *actions: Action, **columns: object) -> Path:
    """Write actions as a file of the collected log, each a second on its way, unless told."""
    rows = [
        {
            "event_id": f"{user}-{item}-{kind}-{ts.timestamp()}",
            "user_id": user,
            "item_id": item,
            "event_type": kind,
            "ts": ts,
            "arrived_at": ts + timedelta(seconds=1),
            **columns,
        }
        for user, item, kind, ts in actions
    ]
    day = folder / f"date={actions[0][3]:%Y-%m-%d}" if actions else folder
    day.mkdir(parents=True, exist_ok=True)
    path = day / f"tracked-{len(list(day.iterdir()))}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, COLLECTED), path)
    return path


def wait(client: Redis, *actions: Action) -> None:
    """Put down whoever acted for a fresh list, as `Shelf.acted` does."""
    for user, _, _, ts in actions:
        client.zadd(KEYS.refresh_queue, {user: ts.timestamp()})


def waiting(client: Redis) -> dict[str, float]:
    """Return who waits, and since when."""
    entries: list[tuple[bytes, float]] = client.zrange(KEYS.refresh_queue, 0, -1, withscores=True)  # type: ignore[assignment]
    return {user.decode(): since for user, since in entries}


def refresh(
    client: Redis, root: Path, now: datetime = NOW, settings: RefreshSettings = SETTINGS
) -> list[Refreshed]:
    """Do what the flow does: refresh each generation that is served."""
    return [
        refresh_lists(client, served, root / "events", settings, now)
        for served in open_served(client, SHOP, root)
    ]


def lists(client: Redis, generation: int) -> Mapping[str, Any]:
    """Return the users' lists of a generation, by user."""
    family = KEYS.lists(generation, "als")
    names = sorted(client.scan_iter(family.pattern))
    found = {family.id_in(name): client.get(name) for name in names}
    return {str(user): value for user, value in found.items() if value is not None}
