"""Tables of SQLite, DuckDB and Postgres databases as DuckDB tables of text."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa

from data.importers.csv_table import FILE, LINE, quoted
from data.schema import InputError, Report
from nightshelf_ops.init.reading.raw import Raw, counted, typed_text
from nightshelf_ops.init.reading.sources import Source

_BATCH_ROWS = 50_000


def tables_of(db: duckdb.DuckDBPyConnection, source: Source) -> list[Source]:
    """Return a source for each table of a database, other sources as they are."""
    if source.kind == "sqlite":
        with closing(sqlite3.connect(f"file:{source.files[0]}?mode=ro", uri=True)) as file:
            sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            return [replace(source, table=name) for (name,) in file.execute(f"{sql} ORDER BY 1")]
    if source.kind in ("duckdb", "postgres"):
        alias = _attach(db, source)
        found = db.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = $1 "
            "AND NOT internal ORDER BY ALL",
            [alias],
        ).fetchall()
        return [
            replace(source, table=table if schema in ("main", "public") else f"{schema}.{table}")
            for schema, table in found
        ]
    return [source]


def _attach(db: duckdb.DuckDBPyConnection, source: Source) -> str:
    if source.kind == "duckdb":
        alias = source.files[0].stem
        path = str(source.files[0]).replace("'", "''")
        db.execute(f"ATTACH IF NOT EXISTS '{path}' AS {quoted(alias)} (READ_ONLY)")
        return alias
    try:
        db.execute("LOAD postgres")
    except duckdb.Error as error:
        raise InputError(
            "DuckDB's extension for Postgres is not installed here. Install it where there is "
            "internet (INSTALL postgres in DuckDB), or write the tables to files: "
            "\\copy orders TO 'orders.csv' CSV HEADER"
        ) from error
    try:
        address = source.address.replace("'", "''")
        db.execute(f"ATTACH IF NOT EXISTS '{address}' AS pg (TYPE postgres, READ_ONLY)")
    except duckdb.Error as error:  # the message may hold the address, and with it a password
        raise InputError("the Postgres server does not answer, or refuses the login") from error
    return "pg"


def open_sqlite(db: duckdb.DuckDBPyConnection, name: str, source: Source, report: Report) -> Raw:
    """Copy a table of a SQLite file, its values as text."""
    with closing(sqlite3.connect(f"file:{source.files[0]}?mode=ro", uri=True)) as file:
        rows = file.execute(f"SELECT * FROM {quoted(source.table)}")
        columns = [each[0] for each in rows.description]
        as_text = "".join(f", {quoted(c)} VARCHAR" for c in columns)
        db.execute(f"CREATE TABLE {name} ({FILE} INTEGER, {LINE} BIGINT{as_text})")
        n_rows = 0
        for batch in _batches(rows):
            lines = pa.array(range(n_rows + 1, n_rows + 1 + len(batch)), pa.int64())
            fields = [pa.array(map(_sqlite_text, values)) for values in zip(*batch, strict=True)]
            zeros = pa.array([0] * len(batch), pa.int32())
            fields = [f.cast(pa.string()) for f in fields]
            db.from_arrow(
                pa.table([zeros, lines, *fields], names=[FILE, LINE, *columns])
            ).insert_into(name)
            n_rows += len(batch)
            report(f"reading {source.title} ... {n_rows:,} rows")
    return counted(db, name, source, source.files)


def _batches(rows: sqlite3.Cursor) -> Iterator[list[tuple[object, ...]]]:
    while batch := rows.fetchmany(_BATCH_ROWS):
        yield batch


def _sqlite_text(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None else str(value)


def open_database(db: duckdb.DuckDBPyConnection, name: str, source: Source, report: Report) -> Raw:
    """Copy a table of a DuckDB file or a Postgres server, its values as text."""
    alias = _attach(db, source)
    table = ".".join(quoted(part) for part in (alias, *source.table.split(".", 1)))
    types = db.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
    as_text = ", ".join(typed_text(c, kind) for c, kind, *_ in types)
    rows = f"SELECT 0 AS {FILE}, row_number() OVER () AS {LINE}, {as_text} FROM {table}"
    db.execute(f"CREATE TABLE {name} AS {rows}")
    return counted(db, name, source, source.files or (Path(source.table),))
