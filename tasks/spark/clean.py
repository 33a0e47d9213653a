"""The clean log by Spark: executors read files as DuckDB does, and Spark SQL validates and dedupes.

Catalogue and users file, which are small beside the log, are validated by DuckDB in the driver, and
so is what becomes of the bad rows: quarantine, counts, findings. Clean events come back sorted, a
file a range of time, and pass through the driver once, as a stream.
"""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from tasks.artifacts.records import CleanLog
from tasks.ingest.clean import record, refuse_bad
from tasks.ingest.contract import FileGroup, Inputs, Relation
from tasks.ingest.daily_log import write_log
from tasks.ingest.raw_rows import raw_sql
from tasks.ingest.settings import EventSettings
from tasks.ingest.validate import Validation, count_rows, rules_of, validate_relation
from tasks.io.duckdb_session import connect, one_file, query
from tasks.runs.run_folder import Run
from tasks.spark.session import local
from tasks.spark.transpile import to_spark

_ROWS = 100_000
#: Tasks a core that read files: a log of many small ones is not a task a file.
_TASKS = 4
#: Of DuckDB in an executor, where a task has one core, and reads a file as a stream.
_READER: dict[str, Any] = {"threads": 1, "memory_limit": "500MB"}
_ALWAYS = {"first": date(1, 1, 1), "last": date(9999, 12, 30)}
#: Rows that go into quarantine.
_BAD = "reason IS NOT NULL AND reason <> 'after as_of'"


def clean_on_spark(
    session: SparkSession, run: Run, inputs: Inputs, settings: EventSettings, now: datetime
) -> CleanLog:
    """Validate and clean as `tasks.ingest.clean.clean_events` does."""
    rules = rules_of(settings, run.as_of, now)
    scratch = Path(mkdtemp(dir=run.path("steps.jsonl").parent, prefix=".spark-"))
    try:
        with connect(run.folder) as db:
            for relation in (inputs.items, inputs.users):
                validate_relation(db, relation, rules)
            schema = _open_raw(session, db, inputs.events)
            counts, n_idle = _validate(session, db, schema, rules)
            n_events = _write_log(session, run.path("events.parquet"), scratch)
            _open_findings(db, run.path("events.parquet"))
            found = Validation(count_rows(db) | {"events": counts}, n_idle)
            log = record(run, db, inputs, found, n_events)
    finally:
        session.catalog.clearCache()
        shutil.rmtree(scratch)
    refuse_bad(log, found, settings.max_bad_share)
    return log


def _open_raw(session: SparkSession, db: duckdb.DuckDBPyConnection, events: Relation) -> pa.Schema:
    """Make the views raw_events and known_items; return the schema of the raw rows."""
    none = Relation("events", (), {})
    schema = _plain(db.sql(raw_sql(db, none)).to_arrow_table().schema)
    files = [(group, file) for group in events.groups for file in group.files]

    def read(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                group, file = files[number]
                yield from read_file(replace(group, files=(file,)), schema)

    n_tasks = max(1, min(len(files), _TASKS * session.sparkContext.defaultParallelism))
    rows = session.range(len(files), numPartitions=n_tasks)
    raw = rows.mapInArrow(read, from_arrow_schema(schema))
    raw.createOrReplaceTempView("raw_events")
    known = db.sql("SELECT item_id FROM validated_items WHERE reason IS NULL").to_arrow_table()
    session.createDataFrame(_text(known)).createOrReplaceTempView("known_items")
    return schema


def read_file(group: FileGroup, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the raw rows of a group of files, by DuckDB."""
    with duckdb.connect(config=_READER) as db:
        db.execute("SET TimeZone = 'UTC'")
        sql = raw_sql(db, Relation("events", (group,), {}))
        for batch in db.sql(sql).to_arrow_reader(_ROWS):
            yield batch.cast(schema)


def _validate(
    session: SparkSession, db: duckdb.DuckDBPyConnection, schema: pa.Schema, rules: dict[str, Any]
) -> tuple[Counter[str], int]:
    """Make the views of validated events; return rows by reason, and the number of idle ones.

    The bad rows become DuckDB's table bad_events.
    """
    validated = session.sql(to_spark(query("ingest/validate_events"), rules)).persist()
    validated.createOrReplaceTempView("validated_events")
    grouped = validated.groupBy("reason").count().collect()
    counts = Counter({row["reason"] or "": row["count"] for row in grouped})
    ((_, n_idle),) = session.sql(to_spark(query("ingest/count_idle"), rules)).collect()
    bad = validated.where(_BAD).select(*schema.names, "reason").toArrow()
    db.from_arrow(_text(bad)).create("bad_events")
    views = {
        "good_events": to_spark(query("ingest/good_events"), {}),
        "repeated_events": "SELECT mark FROM good_events GROUP BY mark HAVING count(*) > 1",
        "once_events": to_spark(query("ingest/once_events"), {}),
    }
    for name, sql in views.items():
        session.sql(sql).createOrReplaceTempView(name)
    return counts, n_idle


def _write_log(session: SparkSession, path: Path, scratch: Path) -> int:
    """Sort the clean events in Spark, and write them as the clean log; return their number."""
    clean = session.sql(to_spark(query("ingest/clean_events"), _ALWAYS))
    clean.write.parquet(local(scratch / "clean"))
    files = sorted((scratch / "clean").glob("part-*.parquet"))
    schema = _plain(pq.read_schema(files[0]))
    return write_log(path, schema, _sorted_rows(files, schema))


def _sorted_rows(files: Sequence[Path], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of files in their order."""
    for file in files:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(_ROWS):
                yield batch.cast(schema)


def _open_findings(db: duckdb.DuckDBPyConnection, events: Path) -> None:
    """Make what the findings ask for: the bad rows, and of the good ones the distinct events."""
    db.read_parquet(one_file(events)).create_view("distinct_events")
    db.execute("""
        CREATE TEMP VIEW good_events AS SELECT *, 0::UBIGINT AS mark FROM distinct_events;
        CREATE TEMP TABLE repeated_events (mark UBIGINT);
        CREATE TEMP VIEW once_events AS FROM good_events LIMIT 0;
        CREATE TEMP VIEW validated_events AS
            SELECT *, 0::UBIGINT AS mark FROM bad_events UNION ALL BY NAME FROM good_events;
    """)


def _plain(schema: pa.Schema) -> pa.Schema:
    """Return a schema with times in UTC without a zone, as the clean log has them."""
    fields = [
        field.with_type(pa.timestamp("us")) if pa.types.is_timestamp(field.type) else field
        for field in schema
    ]
    return pa.schema([field.with_nullable(True) for field in fields])


def _text(table: pa.Table) -> pa.Table:
    """Return a table with plain text and times."""
    return table.cast(_plain(table.schema))
