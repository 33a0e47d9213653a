"""Small logs: rows as dictionaries, written as Parquet, and the night's first steps over them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.artifacts.records import CleanLog, Features
from tasks.features.build import build_features
from tasks.features.settings import FeatureSettings
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import InputSettings, check_inputs
from tasks.ingest.settings import EventSettings
from tasks.runs.run_folder import Run

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
NOW = AS_OF + timedelta(hours=6)
YESTERDAY = AS_OF - timedelta(days=1)
ANY_SHARE = EventSettings(max_bad_share=1, idle=())

Row = dict[str, Any]

TYPES: Mapping[str, pa.DataType] = {
    "user_id": pa.string(),
    "item_id": pa.string(),
    "event_type": pa.string(),
    "ts": pa.timestamp("us"),
    "value": pa.float64(),
    "event_id": pa.string(),
    "arrived_at": pa.timestamp("us"),
    "session_id": pa.string(),
    "category": pa.string(),
    "title": pa.string(),
    "price": pa.float64(),
    "available": pa.bool_(),
    "created_at": pa.timestamp("us"),
    "tags": pa.list_(pa.string()),
    "segment": pa.string(),
}


def event(**changes: Any) -> Row:
    """Return a good event of yesterday, but for the changes."""
    return {"user_id": "u1", "item_id": "i1", "event_type": "view", "ts": YESTERDAY, **changes}


def item(item_id: str = "i1", **changes: Any) -> Row:
    """Return a good item, but for the changes."""
    return {"item_id": item_id, "category": "books", **changes}


ONE_ITEM = (item(),)


def write(path: Path, rows: Sequence[Row], **types: pa.DataType) -> Path:
    """Write rows; a column has the type of `TYPES` unless told otherwise."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {
        name: pa.array([row.get(name) for row in rows], types.get(name, TYPES.get(name)))
        for name in names
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, write_page_checksum=True)
    return path


def flip_bit(path: Path, column: str) -> Path:
    """Damage the last page of a column: its last byte, which only a checksum can miss."""
    group = pq.read_metadata(path).row_group(0)
    chunks = [group.column(n) for n in range(group.num_columns)]
    chunk = next(each for each in chunks if each.path_in_schema == column)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content = bytearray(path.read_bytes())
    content[start + chunk.total_compressed_size - 1] ^= 1
    path.write_bytes(content)
    return path


def read(path: Path) -> list[Row]:
    """Return a file's rows."""
    rows: list[Row] = pq.read_table(path).to_pylist()
    return rows


def clean(
    root: Path,
    events: Path | Sequence[Row],
    items: Path | Sequence[Row] = ONE_ITEM,
    users: Path | Sequence[Row] | None = None,
    *,
    as_of: datetime = AS_OF,
    now: datetime = NOW,
    inputs: InputSettings | None = None,
    settings: EventSettings = ANY_SHARE,
) -> CleanLog:
    """Check and clean a log given as rows or as files, and see that no row was lost."""
    given = {"events": events, "items": items, "users": users}
    paths = {
        name: rows if isinstance(rows, Path) else write(root / "in" / f"{name}.parquet", rows)
        for name, rows in given.items()
        if rows is not None
    }
    checked = check_inputs(
        paths["events"], paths["items"], paths.get("users"), inputs or InputSettings()
    )
    log = clean_events(Run("shop", 1, as_of, root / "runs"), checked, settings, now=now)
    quarantine = Counter(row["reason"] for row in read(log.quarantine))
    assert log.quarantined == quarantine
    assert log.n_quarantined == quarantine.total()
    assert (log.n_events, log.n_items) == (len(read(log.events)), len(read(log.items)))
    kept = log.n_events + log.n_items + len(read(log.users))
    assert log.rows_read == kept + log.n_duplicates + log.n_after_as_of + log.n_quarantined
    return log


def learn(root: Path, log: CleanLog, settings: FeatureSettings | None = None) -> Features:
    """Build the features of a clean log."""
    run = Run("shop", 1, AS_OF, root / "runs")
    return build_features(run, log, settings or FeatureSettings())


def bytes_of(*records: CleanLog | Features) -> dict[str, bytes]:
    """Return the bytes of every file that the records name, by folder and name."""
    paths = [value for record in records for value in vars(record).values()]
    files = [path for path in paths if isinstance(path, Path)]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files}
