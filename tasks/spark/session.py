"""The Spark session of a night, and work on Arrow batches in its executors."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession

from tasks.errors import SettingsError
from tasks.spark.settings import SparkSettings

#: What the night's statements and results rest on; the settings cannot change it.
_FIXED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}
#: Properties where the settings do not name them.
_DEFAULTS = {
    "spark.app.name": "nightshelf",
    "spark.master": "local[*]",
    "spark.pyspark.python": sys.executable,
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
#: Executors write their errors to the driver, which says them once.
_LOCAL = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}


@contextmanager
def spark_session(settings: SparkSettings, folder: Path) -> Iterator[SparkSession]:
    """Open a session whose checkpoints lie in `folder`, and stop it at the end.

    `folder` must be one that driver and executors share. Raises `SettingsError` where Spark does
    not start, or one runs in this process already with other properties.
    """
    os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))
    builder, given = SparkSession.builder, properties(settings)
    os.environ["PYSPARK_PYTHON"] = given["spark.pyspark.python"]  # the property alone is not read
    for name, value in given.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise SettingsError(
            f"Spark does not start ({str(error).splitlines()[0]}): it needs Java 17 or later "
            "(openjdk-17-jre-headless), and a master that answers (spark.session of the settings)"
        ) from error
    try:
        session.sparkContext.setCheckpointDir(local(folder / "checkpoints"))
        yield session
    finally:
        session.stop()


def properties(settings: SparkSettings) -> Mapping[str, str]:
    """Return Spark's properties of a night: the fixed ones before the settings' before defaults."""
    given = _DEFAULTS | settings.session
    if given["spark.master"].startswith("local"):
        given = _LOCAL | given
    return given | _FIXED


def local(path: Path) -> str:
    """Return a path of this machine's file system as Spark takes it, whatever its default is."""
    return path.absolute().as_uri()
