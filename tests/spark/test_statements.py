"""Each statement that Spark is asked, on both engines over the same Parquet."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from tasks.features.build import open_log
from tasks.features.settings import FeatureSettings
from tasks.ingest.clean import clean_events
from tasks.ingest.settings import EventSettings
from tasks.ingest.validate import rules_of, validate
from tasks.io.duckdb_session import connect, query
from tasks.runs.run_folder import Run
from tasks.spark.session import local
from tasks.spark.tables import SparkTables
from tasks.spark.transpile import to_spark
from tests.spark.nasty_log import NastyLog

_SETTINGS = EventSettings(max_bad_share=1)
_ALWAYS = {"first": date(1, 1, 1), "last": date(9999, 12, 30)}
#: A range of days in the middle.
_SOME = {"first": date(2024, 1, 1), "last": date(2030, 1, 1)}


@pytest.fixture(scope="module")
def db(nasty: NastyLog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Open DuckDB with every relation of a validation."""
    with connect(tmp_path_factory.mktemp("db")) as connection:
        validate(connection, nasty.inputs, _SETTINGS, nasty.as_of, nasty.now)
        yield connection


def opened(session: SparkSession, db: duckdb.DuckDBPyConnection, folder: Path, name: str) -> None:
    """Give Spark a relation of DuckDB's, by way of Parquet."""
    path = folder / f"{name}.parquet"
    table = db.sql(f"FROM {name}").to_arrow_table()
    if "mark" in table.schema.names:  # Spark has no unsigned integers
        mark = table["mark"].combine_chunks().view(pa.int64())
        table = table.set_column(table.schema.get_field_index("mark"), "mark", mark)
    pq.write_table(table, path)
    session.read.parquet(local(path)).createOrReplaceTempView(name)


def rows_of(table: pa.Table, *left_out: str) -> list[str]:
    """Return rows as text, in one order, without some columns."""
    names = sorted(set(table.schema.names).difference(left_out))
    return sorted(map(repr, table.select(names).to_pylist()))


STATEMENTS: Mapping[str, tuple[list[str], tuple[str, ...]]] = {
    "validate_events": (["raw_events", "known_items"], ("mark",)),
    "count_idle": (["raw_events"], ()),
    "good_events": (["validated_events"], ("mark",)),
    "once_events": (["good_events", "repeated_events"], ("mark",)),
    "clean_events": (["good_events", "repeated_events", "once_events"], ()),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_ingest(name: str, session: SparkSession, db: Any, nasty: NastyLog, tmp_path: Path) -> None:
    sql = query(f"ingest/{name}")
    given = rules_of(_SETTINGS, nasty.as_of, nasty.now) | _ALWAYS
    used = {each: value for each, value in given.items() if f"${each}" in sql}
    relations, left_out = STATEMENTS[name]
    for relation in relations:
        opened(session, db, tmp_path, relation)
    ours = db.sql(sql, params=used).to_arrow_table()
    asked = session.sql(to_spark(sql, used))
    theirs = asked.toArrow()
    assert rows_of(ours, *left_out) == rows_of(theirs, *left_out)
    assert len(ours) > 0
    plan = asked._jdf.queryExecution().toString()
    assert "NestedLoopJoin" not in plan, "rows times rows"
    if name == "clean_events":
        assert ours.to_pylist() == theirs.to_pylist(), "in one order"


def test_the_faults_are_all_there(db: Any) -> None:
    reasons = db.sql("SELECT DISTINCT reason FROM validated_events").fetchall()
    assert len(reasons) == 14, sorted(map(str, reasons))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("features/recent_popularity", {"half_life_days": 7.0}),
        ("features/recent_popularity", {"half_life_days": 0.3}),
        ("features/segment_popularity", {"half_life_days": 7.0}),
        ("features/segment_squares", {"half_life_days": 7.0, "n_th": 1}),
        ("recommend/trending", {"recent_days": 7, "past_days": 28}),
        ("recommend/trending", {"recent_days": 2, "past_days": 5}),
    ],
)
def test_popularity(
    name: str,
    given: dict[str, Any],
    session: SparkSession,
    nasty: NastyLog,
    tmp_path: Path,
) -> None:
    run = Run("shop", 1, nasty.as_of, tmp_path)
    log = clean_events(run, nasty.inputs, _SETTINGS, now=nasty.now)
    weighing = FeatureSettings()
    parameters = {"as_of": nasty.as_of, **given}
    with connect(tmp_path) as connection:
        open_log(connection, log, weighing)
        ours = connection.sql(query(name), params=parameters).to_arrow_table()
    tables = SparkTables(session, tmp_path, log, weighing)
    theirs = tables.sql(query(name), params=parameters).to_arrow_table()
    assert ours.to_pylist() == theirs.to_pylist()
    assert len(ours) > 1
