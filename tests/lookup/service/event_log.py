"""A collected event log, made by hand."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FIRST = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("user_id", pa.string()),
        ("event_type", pa.string()),
        ("ts", pa.timestamp("us", "UTC")),
        ("item_id", pa.string()),
        ("value", pa.float64()),
        ("generation", pa.int64()),
        ("model", pa.string()),
        ("variant", pa.string()),
        ("position", pa.int32()),
        ("latency_ms", pa.float64()),
        ("arrived_at", pa.timestamp("us", "UTC")),
    ]
)


@dataclass(frozen=True)
class LoggedEvent:
    """A row of the log."""

    event_id: str
    user_id: str = "ann"
    event_type: str = "impression"
    ts: datetime = NOON
    item_id: str | None = "A1"
    value: float | None = None
    generation: int | None = 7
    model: str | None = "als"
    variant: str | None = None
    position: int | None = 1
    latency_ms: float | None = None
    arrived_at: datetime | None = NOON


def write(folder: Path, events: Iterable[LoggedEvent], name: str = "part-0.parquet") -> None:
    """Write events to one file a partition."""
    by_day: dict[date, list[LoggedEvent]] = {}
    for event in events:
        by_day.setdefault(event.ts.date(), []).append(event)
    for day, of_day in by_day.items():
        path = folder / f"date={day}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([asdict(each) for each in of_day], SCHEMA), path)
