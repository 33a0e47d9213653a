"""DuckDB sessions: one connection a step, in UTC; queries stand in the `sql/` of a package."""

import glob
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa

from tasks.io.parquet import write_parquet

_TASKS = Path(__file__).parents[1]
_BATCH_ROWS = 100_000
#: Beyond this a query spills to disk. DuckDB's own bound, 80 % of memory, leaves too little for the
#: rest of the night and Redis.
_MAX_BYTES = 8 * 10**9
#: Processes that share the machine, this one among them.
n_processes = ContextVar("n_processes", default=1)


@contextmanager
def connect(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory, in UTC, with the event rules, that spills into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(dir=folder, prefix=".spill-") as spill,
        duckdb.connect(
            config={"temp_directory": spill, "memory_limit": f"{_memory_bytes()}B"}
        ) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(query("io/event_rules"))
        connection.execute("SET enable_progress_bar = false")  # the step reports its own
        yield connection


def _memory_bytes() -> int:
    """Return this process's share of half of the machine's memory, or of `_MAX_BYTES` if less."""
    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return min(_MAX_BYTES, half) // n_processes.get()


def one_file(path: Path) -> str:
    """Return a path with DuckDB's wildcards `[`, `*` and `?` escaped."""
    return glob.escape(str(path))


def query(name: str) -> str:
    """Return a statement: `ingest/clean_events` stands in `tasks/ingest/sql/clean_events.sql`."""
    package, _, statement = name.partition("/")
    return (_TASKS / package / "sql" / f"{statement}.sql").read_text()


def write_query(
    connection: duckdb.DuckDBPyConnection, sql: str, path: Path, parameters: Mapping[str, Any]
) -> int:
    """Run a SELECT and stream its rows to Parquet; returns the number of rows."""
    reader = stream(connection, sql, parameters)
    return write_parquet(path, reader.schema, reader)


def stream(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Any]
) -> pa.RecordBatchReader:
    """Run a SELECT and return its rows in batches."""
    return connection.sql(sql, params=dict(parameters)).to_arrow_reader(_BATCH_ROWS)
