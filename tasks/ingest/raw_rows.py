"""SQL of a relation's rows, under the contract's names and types, from files that differ.

Each group of files with the same types is cast by itself; otherwise the first file would decide
the types of all.
"""

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.ingest.column_types import Kind, plain_type
from tasks.ingest.contract import CONTRACT, FileGroup, Relation
from tasks.ingest.file_columns import ROW_NUMBER
from tasks.ingest.times import as_found_sql, microseconds_sql, within_years_sql
from tasks.io.duckdb_session import one_file

#: The column of a row's path; a log may have a column `filename` of its own.
_FILE = "nightshelf_file"

_SQL_TYPES: dict[Kind, str] = {
    "text": "VARCHAR",
    "number": "DOUBLE",
    "flag": "BOOLEAN",
    "texts": "VARCHAR[]",
}


def raw_sql(db: duckdb.DuckDBPyConnection, relation: Relation) -> str:
    """Return the SELECT of a relation's rows, each with its `file` and `row` (from 0).

    Files that DuckDB cannot read right are copied into temporary tables of `db` first.
    """
    parts = [
        _select(relation, group, _source(db, f"raw_{relation.name}_{number}", group))
        for number, group in enumerate(relation.groups)
    ]
    nothing = f"(SELECT '' AS {_FILE}, 0::BIGINT AS {ROW_NUMBER} WHERE false)"
    return " UNION ALL ".join(parts) or _select(relation, FileGroup((), {}), nothing)


def _select(relation: Relation, group: FileGroup, source: str) -> str:
    """Return the SELECT of a group's rows; the inner one parses each time once."""
    contract = CONTRACT[relation.name]
    inner = [part for ours in contract for part in _as_written(ours, contract[ours][0], group)]
    outer = [part for ours in contract for part in _as_ours(ours, contract[ours][0])]
    return (
        f'SELECT {", ".join(outer)}, file, "row" FROM (SELECT {", ".join(inner)}, '  # noqa: S608
        f'{_FILE} AS file, {ROW_NUMBER} AS "row" FROM {source})'
    )


def _source(db: duckdb.DuckDBPyConnection, name: str, group: FileGroup) -> str:
    """Return the SQL of a group's files as a table."""
    if "milliseconds" in group.times.values():
        schema = _schema(group)
        reader = pa.RecordBatchReader.from_batches(schema, _batches(group, schema))
        db.from_arrow(reader).create(name)
        return name
    files = ", ".join(_quoted(one_file(file)) for file in group.files)
    return (
        f"read_parquet([{files}], hive_partitioning = false, filename = '{_FILE}', "
        f"{ROW_NUMBER} = true)"
    )


def _schema(group: FileGroup) -> pa.Schema:
    """Return the columns read, milliseconds as integers, with a row's file and number."""
    types = pq.read_schema(group.files[0])
    fields = {
        theirs: pa.int64()
        if group.times.get(ours) == "milliseconds"
        else plain_type(types.field(theirs).type)
        for ours, theirs in group.columns.items()
    }
    return pa.schema([*fields.items(), (_FILE, pa.string()), (ROW_NUMBER, pa.int64())])


def _batches(group: FileGroup, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield a group's rows."""
    names = schema.names[:-2]
    for file in group.files:
        n_rows = 0
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(columns=names):
                columns = [batch.column(name).cast(schema.field(name).type) for name in names]
                rows = pa.array(range(n_rows, n_rows + len(batch)), pa.int64())
                paths = pa.repeat(str(file), len(batch))
                yield pa.record_batch([*columns, paths, rows], schema)
                n_rows += len(batch)


def _as_written(ours: str, kind: Kind, group: FileGroup) -> list[str]:
    column = _column(ours, group)
    if kind != "time":
        return [f"CAST({column} AS {_SQL_TYPES[kind]}) AS {ours}"]
    form = group.times.get(ours, "text")
    return [
        f"{microseconds_sql(column, form)} AS {ours}",
        f"{as_found_sql(column, form)} AS {ours}_as_found",
    ]


def _as_ours(ours: str, kind: Kind) -> list[str]:
    if kind != "time":
        return [ours]
    instant = within_years_sql(ours)
    # The unparsed text, for validation and for the quarantine.
    unparsed = f"CASE WHEN {instant} IS NULL THEN {ours}_as_found END"
    return [f"{instant} AS {ours}", f"{unparsed} AS {ours}_as_found"]


def _column(ours: str, group: FileGroup) -> str:
    """Return the SQL of a column: by its name in the files, from their path, or null."""
    if ours in group.columns:
        return '"' + group.columns[ours].replace('"', '""') + '"'
    text = group.in_path.get(ours)
    return "CAST(NULL AS VARCHAR)" if text is None else _quoted(text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
