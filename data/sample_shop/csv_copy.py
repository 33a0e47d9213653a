"""The sample shop's log as one CSV table with column names of its own."""

from pathlib import Path

import duckdb

_COPY = """
COPY (
    SELECT user_id AS customer, item_id AS sku, title, category AS department, event_type AS event,
        strftime(ts AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') AS happened_at
    FROM read_parquet($events) AS log LEFT JOIN read_parquet($items) AS goods USING (item_id)
    ORDER BY ts, event_id, arrived_at
) TO '{csv}' (HEADER)
"""


def write_csv(shop: Path) -> Path:
    """Write `orders.csv` beside the files of a shop's folder, in order of time; return its path.

    Its columns are `customer`, `sku`, `title`, `department`, `event` and `happened_at`; its rows
    are those of the log, dirt included.
    """
    path, partial = shop / "orders.csv", shop / "orders.csv.partial"
    files = {"events": str(shop / "events/*/*.parquet"), "items": str(shop / "items.parquet")}
    with duckdb.connect() as db:
        db.execute(_COPY.format(csv=str(partial).replace("'", "''")), files)
    partial.replace(path)
    return path
