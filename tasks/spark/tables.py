"""Relations and statements in Spark, in the words of a DuckDB connection."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from tasks.artifacts.records import CleanLog
from tasks.features.settings import FeatureSettings
from tasks.ingest.daily_log import days_of
from tasks.io.columns import EVENT_TYPE
from tasks.io.duckdb_session import connect
from tasks.spark.session import local
from tasks.spark.transpile import POINTS, to_spark


class Answer(NamedTuple):
    """The rows of a statement."""

    rows: DataFrame

    def to_arrow_table(self) -> pa.Table:
        """Return all rows, text and times as DuckDB has them."""
        return self.rows.toArrow()

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows as tuples."""
        return [tuple(row) for row in self.rows.collect()]


class SparkTables:
    """A clean log's relations in Spark, asked by DuckDB's statements.

    `events`, `items`, `users` and `weights` are those of `tasks.features.build.open_log`.
    """

    def __init__(
        self, session: SparkSession, folder: Path, log: CleanLog, weighing: FeatureSettings
    ) -> None:
        self._session, self._folder = session, folder
        for name, path in (("events", log.events), ("items", log.items), ("users", log.users)):
            session.read.parquet(local(path)).createOrReplaceTempView(name)
        self._weights = list(weighing.weights.values())
        weights = pa.table({EVENT_TYPE: list(weighing.weights), "weight": self._weights})
        session.createDataFrame(weights).createOrReplaceTempView("weights")
        self._days = [day.number for day in days_of(log.events)]

    def execute(self, sql: str) -> Answer:
        """Ask a statement without parameters."""
        return self.sql(sql)

    def sql(self, sql: str, *, params: Mapping[str, Any] | None = None) -> Answer:
        """Ask a statement of DuckDB's, transpiled."""
        given = params or {}
        if "half_life_days" in given:
            self._count_points(given)
        return Answer(self._session.sql(to_spark(sql, given)))

    def _count_points(self, given: Mapping[str, Any]) -> None:
        """Make the table of points by weight and age, by DuckDB: the powers are those of one."""
        as_of = given["as_of"]
        tonight = int(as_of.timestamp() // 86_400)
        ages = pa.table(
            {"age": [tonight - day for day in self._days]}, pa.schema([("age", pa.int32())])
        )
        weights = pa.table({"weight": sorted(set(self._weights))})
        with connect(self._folder) as db:
            db.from_arrow(ages).create_view("ages")
            db.from_arrow(weights).create_view("weighing")
            sql = """
                SELECT weight AS of_weight, age AS of_age_days,
                    event_points(weight, age, $half_life_days) AS points
                FROM ages CROSS JOIN weighing
            """
            half_life = {"half_life_days": given["half_life_days"]}
            points = db.sql(sql, params=half_life).to_arrow_table()
        self._session.createDataFrame(points).hint("broadcast").createOrReplaceTempView(POINTS)
