"""A Spark of two executors for the whole session, and a log of every kind of row."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT
from tests.spark.nasty_log import NastyLog, make_nasty_log

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Executors in processes of their own, with real serialization; threads where those cannot start.
#: NIGHTSHELF_TEST_SPARK names another.
MASTERS = os.environ.get("NIGHTSHELF_TEST_SPARK", "local-cluster[2,1,1024] local[2]").split()
collect_ignore_glob = [] if find_spec("pyspark") else ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if item.path.is_relative_to(ROOT / "tests/spark"):
            item.add_marker("spark")


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator["SparkSession"]:
    """Open a Spark session."""
    from tasks.errors import SettingsError
    from tasks.spark.session import spark_session
    from tasks.spark.settings import SparkSettings

    folder = tmp_path_factory.mktemp("spark")
    for master in MASTERS:
        given = {
            "spark.master": master,
            "spark.executor.instances": "2",
            "spark.sql.shuffle.partitions": "4",
        }
        opened = spark_session(SparkSettings(given), folder)
        try:
            session = opened.__enter__()
        except SettingsError as error:
            print(f"{master}: {error}")
            continue
        yield session
        opened.__exit__(None, None, None)
        return
    pytest.fail("Spark starts under neither of " + ", ".join(MASTERS))


@pytest.fixture(scope="session")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> NastyLog:
    """Make a shop's log with bad rows of every kind among the good ones."""
    return make_nasty_log(Path(tmp_path_factory.mktemp("nasty")))
