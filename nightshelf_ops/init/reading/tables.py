"""Sources as DuckDB tables of text, each row with its file and line, every value as written."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from data.importers.csv_columns import first_line
from data.importers.csv_dialect import Dialect
from data.importers.csv_table import FILE, LINE, load, quoted
from data.schema import InputError, Report, silent
from nightshelf_ops.init.reading.databases import open_database, open_sqlite, tables_of
from nightshelf_ops.init.reading.raw import Raw, counted, typed_text
from nightshelf_ops.init.reading.sources import Source, parquet_files
from tasks.io.duckdb_session import one_file

#: Share of a file's lines that may not fit its header; with more the file holds something else.
_MAX_RAGGED = 0.05
_READ = "read_parquet([{}], union_by_name = true, hive_partitioning = true, file_row_number = true"
_TEXT = """
CREATE MACRO text_of(value) AS CASE WHEN json_type(value) = 'VARCHAR' THEN value ->> '$'
    WHEN json_type(value) = 'NULL' THEN NULL ELSE CAST(value AS VARCHAR) END
"""


def open_tables(
    db: duckdb.DuckDBPyConnection, sources: Sequence[Source], report: Report = silent
) -> list[Raw]:
    """Read every source; `InputError` names the file and the line that cannot be read."""
    db.execute(_TEXT)
    tables: list[Raw] = []
    for source in sources:
        for each in tables_of(db, source):
            name = f"t{len(tables)}"
            report(f"reading {each.title} ...")
            tables.append(_OPEN[each.kind](db, name, each, report))
    return tables


def _open_csv(db: duckdb.DuckDBPyConnection, name: str, source: Source, report: Report) -> Raw:
    assert source.form
    given = source.form.dialect
    tried: list[Dialect] = [given]
    if given.quote:
        tried += [replace(given, escape="\\"), replace(given, quote="", escape=None)]
    for number, dialect in enumerate(tried):
        try:
            table = load(db, name, source.files, dialect, source.title, report)
            break
        except InputError as error:
            if "quote" not in str(error) or number == len(tried) - 1:
                raise
            db.execute(f"DROP TABLE IF EXISTS {name}")
    count = table.count
    ragged = {why: each for why, each in count.refused.items() if why != "the header again"}
    if sum(each.count for each in ragged.values()) > _MAX_RAGGED * max(count.read, 1):
        sample = next(iter(ragged.values())).sample
        n_bad = sum(each.count for each in ragged.values())
        raise InputError(
            f"{sample.file}: {n_bad:,} of {count.read:,} lines do not fit its header, the first is "
            f"line {sample.line}: {sample.value!r:.80}. If it holds two tables, make two files"
        )
    return Raw(name, source, source.files, count)


def _open_json(db: duckdb.DuckDBPyConnection, name: str, source: Source, report: Report) -> Raw:
    for number, file in enumerate(source.files):
        path = one_file(file).replace("'", "''")
        read = f"read_json('{path}', maximum_depth = 1, maximum_object_size = 100000000)"
        try:
            columns = [c for c, *_ in db.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()]
            as_text = ", ".join(f"text_of({quoted(c)}) AS {quoted(c)}" for c in columns)
            rows = (
                f"SELECT {number} AS {FILE}, row_number() OVER () AS {LINE}, {as_text} FROM {read}"
            )
            _add_rows(db, name, rows, columns, first=not number)
        except duckdb.Error as error:
            hint = ""
            with file.open("rb") as stream:
                if stream.read(2) == b"{'":
                    hint = ". Its quotes are Python's ('), which is no JSON: write it by json.dumps"
            raise InputError(f"{file}: {first_line(error)}{hint}") from error
        report(f"reading {file.name} ...")
    return counted(db, name, source, source.files)


def _add_rows(
    db: duckdb.DuckDBPyConnection, name: str, rows: str, columns: Sequence[str], *, first: bool
) -> None:
    """Make a table of rows, or add them by name, with the columns that it lacks."""
    if first:
        db.execute(f"CREATE TABLE {name} AS {rows}")
        return
    has = {column.lower() for column in db.table(name).columns}
    for column in columns:
        if column.lower() not in has:
            db.execute(f"ALTER TABLE {name} ADD COLUMN {quoted(column)} VARCHAR")
    db.execute(f"INSERT INTO {name} BY NAME {rows}")


def _open_parquet(db: duckdb.DuckDBPyConnection, name: str, source: Source, report: Report) -> Raw:
    files = tuple(parquet_files(source.files[0]))
    listed = ", ".join("'" + one_file(file).replace("'", "''") + "'" for file in files)
    read = f"{_READ.format(listed)}, filename = '__path')"
    try:
        types = db.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()
        paths = "[" + ", ".join("'" + str(f).replace("'", "''") + "'" for f in files) + "]"
        as_text = ", ".join(typed_text(c, kind) for c, kind, *_ in types if c not in _OWN)
        db.execute(
            f"CREATE TABLE {name} AS SELECT list_position({paths}, __path) - 1 AS {FILE}, "
            f"file_row_number + 1 AS {LINE}, {as_text} FROM {read}"
        )
    except duckdb.ConversionException:  # milliseconds beyond DuckDB's microseconds
        db.execute(f"DROP TABLE IF EXISTS {name}")
        _copy_by_arrow(db, name, files)
    except duckdb.Error as error:
        raise InputError(f"{source.files[0]}: {first_line(error)}") from error
    return counted(db, name, source, files)


_OWN = ("__path", "file_row_number")


def _copy_by_arrow(db: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path]) -> None:
    for number, file in enumerate(files):
        table = pq.read_table(file)
        columns = [
            table[c].cast(pa.int64()) if pa.types.is_timestamp(table.schema.field(c).type)
            else table[c]
            for c in table.column_names
        ]  # fmt: skip
        plain = pa.table([c.cast(pa.string()) for c in columns], names=table.column_names)
        places = f"{number} AS {FILE}, row_number() OVER () AS {LINE}"
        db.register("arrow_rows", plain)
        _add_rows(
            db, name, f"SELECT {places}, * FROM arrow_rows", plain.column_names, first=not number
        )
        db.unregister("arrow_rows")


_OPEN = {
    "csv": _open_csv,
    "json": _open_json,
    "parquet": _open_parquet,
    "sqlite": open_sqlite,
    "duckdb": open_database,
    "postgres": open_database,
}
