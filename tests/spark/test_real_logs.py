"""The night on Spark on public logs: lists from given factors, and the quality of its own."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from data.importers.movielens import import_movielens
from data.importers.online_retail import import_online_retail
from tasks.ingest.contract import Inputs, InputSettings, check_inputs
from tasks.pipeline import Pipeline, direct
from tasks.runs.run_folder import Run
from tasks.settings import Settings
from tasks.spark.settings import SparkSettings
from tasks.spark.steps import spark_steps
from tests.conftest import RealLog
from tests.spark.nasty_log import NastyLog
from tests.spark.test_night import FILES, night

P = ParamSpec("P")
R = TypeVar("R")
Importer = Callable[[Path, Path], object]
LOGS: Mapping[str, tuple[str, Importer]] = {
    "online-retail": ("online-retail/online_retail.csv.gz", import_online_retail),
    "movielens": ("movielens-latest-small-2016", import_movielens),
    "movietweetings": ("movietweetings-100k", import_movielens),
}
#: Least share of the one machine's quality, but for so many standard errors of the difference: of
#: 671 users one error is 5 % of the figure.
_LEAST, _ERRORS = 0.98, 2.0


@dataclass(frozen=True)
class HeldOut:
    """A log without each user's last item, and that item by user."""

    log: NastyLog
    last: dict[str, str]


def hold_out(folder: Path) -> HeldOut:
    """Take the last item of each user of three items or more out of an imported log."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        events = folder / "events.parquet"
        db.execute(f"""
            CREATE TABLE events AS SELECT * FROM '{events}';
            CREATE TABLE last AS
                SELECT user_id, item_id FROM (
                    SELECT user_id, item_id, max(ts) AS ts,
                        count(*) OVER (PARTITION BY user_id) AS n
                    FROM events GROUP BY user_id, item_id
                ) WHERE n >= 3
                QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY ts DESC, item_id) = 1;
            COPY (SELECT * FROM events ANTI JOIN last USING (user_id, item_id))
                TO '{folder / "known.parquet"}';
        """)
        last = dict(db.execute("FROM last").fetchall())
        ((end,),) = db.execute("SELECT max(ts) FROM events").fetchall()
    users = folder / "users.parquet"
    inputs: Inputs = check_inputs(
        folder / "known.parquet",
        folder / "items.parquet",
        users if users.exists() else None,
        InputSettings(),
    )
    as_of = end.replace(tzinfo=UTC) + timedelta(seconds=1)
    return HeldOut(NastyLog(inputs, as_of, as_of + timedelta(hours=1)), last)


def quality(lists: Path, last: dict[str, str]) -> npt.NDArray[np.float64]:
    """Return 1 / log2(1 + rank) of each user's item: NDCG of one relevant item."""
    table = pq.read_table(lists, columns=["key", "item_ids"])
    found = dict(zip(table["key"].to_pylist(), table["item_ids"].to_pylist(), strict=True))
    gains = [
        1 / np.log2(2 + found[user].index(item)) if item in found.get(user, ()) else 0.0
        for user, item in last.items()
    ]
    return np.array(gains)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", LOGS)
def test_a_real_log(name: str, real_log: RealLog, session: SparkSession, tmp_path: Path) -> None:
    path, importer = LOGS[name]
    importer(real_log(path), tmp_path / "log")
    held = hold_out(tmp_path / "log")
    steps = spark_steps(session, SparkSettings())

    def on_spark(step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return cast("R", steps[step](*args, **kwargs))

    one = night(held.log, tmp_path / "runs", 1, direct, None)
    two = night(held.log, tmp_path / "runs", 2, on_spark, one)
    for file in FILES:
        assert (one.run.folder / file).read_bytes() == (two.run.folder / file).read_bytes(), file
    three = Run("shop", 3, held.log.as_of, tmp_path / "runs")
    shutil.copytree(two.run.folder / "features", three.folder / "features")
    chain = Pipeline(three, two.log, Settings().recipe, on_spark)
    popularity = chain.popularity()
    models = chain.models(two.made.features, popularity)
    made = chain.lists(two.made.features, models)
    ours, theirs = (quality(each.own.path, held.last) for each in (one.made, made))
    here, there = float(ours.mean()), float(theirs.mean())
    error = float((ours - theirs).std()) / np.sqrt(len(ours))
    print(
        f"{name}: {len(ours):,} users, {here:.4f} on one machine, {there:.4f} on Spark, "
        f"standard error of the difference {error:.4f}"
    )
    assert there >= _LEAST * here - _ERRORS * error
