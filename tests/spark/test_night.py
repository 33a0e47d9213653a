"""The night on Spark against the night on one machine, file by file."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from tasks.artifacts.records import CleanLog, Made, TrainedModel
from tasks.ingest.clean import clean_events
from tasks.ingest.daily_log import days_of
from tasks.ingest.settings import EventSettings
from tasks.pipeline import Pipeline, direct
from tasks.publish.keyspace import ENCODED, families
from tasks.runs.run_folder import Run
from tasks.settings import Settings
from tasks.spark.settings import SparkSettings
from tasks.spark.steps import spark_steps
from tests.spark.nasty_log import NastyLog

_SETTINGS = EventSettings(max_bad_share=1)


@dataclass(frozen=True)
class Night:
    run: Run
    log: CleanLog
    made: Made


def night(nasty: NastyLog, root: Path, number: int, call: Any, given: "Night | None") -> Night:
    """Make a night's lists, with the factors of another where those are given."""
    run = Run("shop", number, nasty.as_of, root)
    log = call(clean_events, run, nasty.inputs, _SETTINGS, now=nasty.now)
    chain = Pipeline(run, log, Settings().recipe, call)
    features, popularity = chain.features(), chain.popularity()
    if given is None:
        models: Mapping[str, TrainedModel] = chain.models(features, popularity, warm=False)
    else:
        models = {given.made.default: taken_over(given, run)}
    return Night(run, log, chain.lists(features, models))


def taken_over(other: Night, run: Run) -> TrainedModel:
    """Return another night's model as one of this run."""
    shutil.copytree(other.run.folder / "model", run.folder / "model")
    model = other.made.model
    paths: dict[str, Any] = {
        name: path for name, path in vars(model).items() if isinstance(path, Path)
    }
    moved: dict[str, Any] = {
        n: run.folder / path.relative_to(other.run.folder) for n, path in paths.items()
    }
    return replace(model, **moved)


@pytest.fixture(scope="module")
def nights(
    session: SparkSession, nasty: NastyLog, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Night, Night]:
    """Make the night on one machine, and on Spark from its factors."""
    root = tmp_path_factory.mktemp("runs")
    steps = spark_steps(session, SparkSettings())

    def on_spark(step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        assert step in steps
        return steps[step](*args, **kwargs)

    one = night(nasty, root, 1, direct, None)
    return one, night(nasty, root, 2, on_spark, one)


def test_the_clean_log_is_the_same(nights: tuple[Night, Night]) -> None:
    one, two = nights
    for name in ("events", "items", "users", "quarantine"):
        ours, theirs = (pq.read_table(getattr(each.log, name)) for each in nights)
        assert ours.equals(theirs), name
    assert days_of(one.log.events) == days_of(two.log.events)
    counts = [
        {name: value for name, value in vars(each.log).items() if not isinstance(value, Path)}
        for each in nights
    ]
    assert counts[0] == counts[1]
    assert one.log.n_duplicates > 4


FILES = [
    *(f"features/{name}.npz" for name in ("interactions", "recent", "seen")),
    *(f"features/{name}.parquet" for name in ("users", "items", "user_ids", "item_ids")),
    "features/popularity.parquet",
    *(f"lists/{name}.parquet" for name in ("lists", "popular", "similar")),
]


@pytest.mark.parametrize("name", FILES)
def test_files_are_the_same_byte_for_byte(name: str, nights: tuple[Night, Night]) -> None:
    ours, theirs = ((each.run.folder / name).read_bytes() for each in nights)
    assert ours == theirs


def test_the_executors_have_encoded_what_the_publisher_would(nights: tuple[Night, Night]) -> None:
    one, two = nights
    pairs = zip(families(one.run, one.made.files), families(one.run, two.made.files), strict=True)
    encoded = set()
    for ours, theirs in pairs:
        assert list(ours.entries()) == list(theirs.entries())
        if any(ENCODED in batch.schema.names for batch in theirs.batches()):
            encoded.add(theirs.name)
    assert encoded == {"list", "similar"}
