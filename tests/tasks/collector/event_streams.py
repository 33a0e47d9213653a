"""A stream of tracked events, the files collected from it, and the night's count."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from redis import Redis

from nightshelf.contract.keys import Keys
from tasks.collector.collect import Collected, CollectSettings, collect
from tasks.collector.event_schema import Entry
from tests.tasks.logs import Row, clean, item, read

SHOP = "shop"
KEY = Keys(SHOP).events
#: Entries taken and not acknowledged are claimed at once.
AT_ONCE = CollectSettings(claim_after_s=0)


def entry_fields(event_id: str, **changes: Any) -> dict[Any, Any]:
    """Return the fields of a good entry of now, but for the changes."""
    fields = {
        "event_id": event_id,
        "user_id": "u1",
        "event_type": "view",
        "ts": datetime.now(UTC).isoformat(),
        "item_id": "i1",
    }
    return fields | changes


def track(client: Redis, *event_ids: str, **changes: Any) -> list[bytes]:
    """Add an entry for each id; return the entries' ids."""
    with client.pipeline(transaction=False) as pipe:
        for event_id in event_ids:
            pipe.xadd(KEY, entry_fields(event_id, **changes))
        ids: list[bytes] = pipe.execute()
        return ids


def entries_of(client: Redis) -> list[Entry]:
    entries: Any = client.xrange(KEY)
    return list(entries)


def gather(client: Redis, log: Path, settings: CollectSettings = AT_ONCE) -> Collected:
    return collect(client, SHOP, log, settings)


def rows_of(log: Path) -> list[Row]:
    """Return every row of the log's files, in the order of their names."""
    return [row for path in sorted(log.rglob("*.parquet")) for row in read(path)]


def event_ids(log: Path) -> list[str]:
    return sorted(row["event_id"] for row in rows_of(log))


def n_counted(log: Path, root: Path) -> int:
    """Return how many events the night counts."""
    soon = datetime.now(UTC) + timedelta(minutes=1)
    return clean(root, log, [item("i1"), item("i2")], as_of=soon, now=soon).n_events


def put(path: Path, event_ids_at: Mapping[str, datetime], schema: pa.Schema) -> Path:
    """Write a file of events that arrived when they were tracked."""
    rows = [
        {"event_id": event_id, "user_id": "u1", "event_type": "view", "item_id": "i1"}
        | {"ts": at, "arrived_at": at}
        for event_id, at in event_ids_at.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows, schema)
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)
    return path
