"""Small logs of an experiment: rows as dictionaries, and their Parquet file."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = Mapping[str, Any]

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("event_id", "user_id", "event_type", "item_id")),
        ("ts", pa.timestamp("us", "UTC")),
        ("value", pa.float64()),
        *((name, pa.string()) for name in ("experiment", "variant")),
        ("phase", pa.int32()),
    ]
)


def event(
    user: str, kind: str, hour: float, item: str | None = None, value: float | None = None
) -> dict[str, Any]:
    """Return an event so many hours after the start."""
    return {
        "user_id": user,
        "event_type": kind,
        "item_id": item,
        "ts": START + hour * HOUR,
        "value": value,
    }


def shown(
    user: str, variant: str, hour: float, item: str = "i1", phase: int = 1, experiment: str = "exp"
) -> dict[str, Any]:
    """Return an exposure so many hours after the start."""
    of = {"experiment": experiment, "variant": variant, "phase": phase}
    return event(user, "impression", hour, item) | of


def write_log(path: Path, rows: Iterable[Row]) -> Path:
    """Write rows as a log; each has its own id where it has none."""
    given = [{"event_id": f"e{at}"} | dict(row) for at, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(given, _SCHEMA), path)
    return path
