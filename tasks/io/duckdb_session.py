"""DuckDB sessions: one connection a step, in UTC; queries stand in the `sql/` of a package."""

import glob
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from tasks.io.memory import memory_bytes
from tasks.io.parquet import write_parquet

_TASKS = Path(__file__).parents[1]
_BATCH_ROWS = 100_000
_shared: ContextVar[duckdb.DuckDBPyConnection | None] = ContextVar("shared", default=None)
_numbers = count()


class Relations(Protocol):
    """Relations that statements of DuckDB are asked of: a connection, or another engine's."""

    def sql(self, query: str, /, *, params: Any = ...) -> Any:
        """Ask a statement with parameters; its rows have `to_arrow_table`."""

    def execute(self, query: str, /) -> Any:
        """Ask a statement without any; its rows have `fetchall`."""


@contextmanager
def connect(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory, in UTC, with the event rules, that spills into `folder`.

    It spills beyond the memory of the settings (`tasks/io/memory.py`).
    """
    shared = _shared.get()
    with _of_its_own(folder) if shared is None else _within(shared) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(query("io/event_rules"))
        connection.execute("SET enable_progress_bar = false")  # the step reports its own
        yield connection


@contextmanager
def shared_database(folder: Path) -> Iterator[None]:
    """Let the sessions of this thread share one database: opening one takes DuckDB 15 ms.

    Each session has its own tables and views nevertheless.
    """
    with _of_its_own(folder) as database:
        token = _shared.set(database)
        try:
            yield
        finally:
            _shared.reset(token)


@contextmanager
def _of_its_own(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(dir=folder, prefix=".spill-") as spill,
        duckdb.connect(
            config={"temp_directory": spill, "memory_limit": f"{memory_bytes()}B"}
        ) as connection,
    ):
        yield connection


@contextmanager
def _within(database: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    name = f"session_{next(_numbers)}"
    database.execute(f"ATTACH ':memory:' AS {name}")
    try:
        with database.cursor() as connection:
            connection.execute(f"USE {name}")
            yield connection
    finally:  # by another connection: this one may have ended in the middle of a statement
        database.execute(f"DETACH {name}")


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
