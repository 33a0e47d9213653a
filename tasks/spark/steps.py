"""The steps of a night that Spark takes, each under the name of the one-machine step."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession

from tasks.artifacts.records import CleanLog, Features, Lists, Popularity, TrainedModel
from tasks.features.build import build_features, features_from
from tasks.features.count_popularity import count_popularity, popularity_from
from tasks.features.settings import FeatureSettings
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import Inputs
from tasks.ingest.settings import EventSettings
from tasks.models.base import Start
from tasks.models.registry import MODELS
from tasks.recommend.popularity import lists_from, popular_lists
from tasks.recommend.settings import PopularitySettings, SimilarSettings, TopNSettings
from tasks.recommend.similar_items import similar_items
from tasks.recommend.topn import LIST_STEPS, top_n
from tasks.runs.journal import computed
from tasks.runs.run_folder import Progress, Run, no_progress
from tasks.runs.saved_run import LISTS, lists_file
from tasks.spark.clean import clean_on_spark
from tasks.spark.features import add_up_on
from tasks.spark.lists import list_similar, list_users
from tasks.spark.settings import SparkSettings
from tasks.spark.tables import SparkTables
from tasks.spark.train import TRAINED, train_on

Step = Callable[..., Any]


def spark_steps(session: SparkSession, settings: SparkSettings) -> Mapping[Step, Step]:
    """Return the steps that Spark takes, by those whose place they take."""
    trained = {MODELS[name].train: _training(session, settings, name) for name in TRAINED}
    lists = {step: _listing(session, name, lists_file(name)) for name, step in LIST_STEPS.items()}
    return {
        **_of_log(session),
        **trained,
        top_n: _listing(session, None, LISTS),
        **lists,
        similar_items: _similar(session),
    }


def _of_log(session: SparkSession) -> Mapping[Step, Step]:
    """Return the steps that read the log."""

    def clean(run: Run, inputs: Inputs, settings: EventSettings, *, now: datetime) -> CleanLog:
        return clean_on_spark(session, run, inputs, settings, now)

    def build(run: Run, log: CleanLog, settings: FeatureSettings) -> Features:
        return features_from(run, log, settings, add_up_on(session))

    def count(
        run: Run, log: CleanLog, half_life_days: float, weighing: FeatureSettings
    ) -> Popularity:
        tables = SparkTables(session, run.folder, log, weighing)
        return popularity_from(tables, run, log, half_life_days)

    def popular(
        run: Run,
        log: CleanLog,
        features: Features,
        settings: PopularitySettings,
        listing: TopNSettings,
        weighing: FeatureSettings,
    ) -> Lists:
        tables = SparkTables(session, run.folder, log, weighing)
        return lists_from(tables, run, features, settings, listing)

    places: dict[Step, Step] = {
        clean_events: clean,
        build_features: build,
        count_popularity: count,
        popular_lists: popular,
    }
    return {step: _named(step, function) for step, function in places.items()}


def _training(session: SparkSession, settings: SparkSettings, name: str) -> Step:
    def train(
        run: Run,
        features: Features,
        given: object,
        start: Start | None = None,
        popularity: Popularity | None = None,
    ) -> TrainedModel:
        del start  # Spark's ALS begins anew
        every = settings.checkpoint_every
        return train_on(session, run, name, features, given, popularity, every)

    return _named(MODELS[name].train, train)


def _listing(session: SparkSession, name: str | None, file: str) -> Step:
    def write_lists(
        run: Run,
        features: Features,
        model: TrainedModel,
        settings: TopNSettings,
        *,
        progress: Progress = no_progress,
    ) -> Lists:
        return list_users(session, run, features, model, settings, file, progress)

    return _named(LIST_STEPS[name] if name else top_n, write_lists)


def _similar(session: SparkSession) -> Step:
    def write_lists(
        run: Run,
        features: Features,
        model: TrainedModel,
        settings: SimilarSettings,
        listing: TopNSettings,
        *,
        progress: Progress = no_progress,
    ) -> Lists:
        return list_similar(session, run, features, model, settings, listing, progress)

    return _named(similar_items, write_lists)


def _named(step: Step, function: Step) -> Step:
    """Return a function as a journalled step under the name of another."""
    function.__name__ = function.__qualname__ = step.__name__
    return computed(function)
