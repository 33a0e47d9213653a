"""The engine of a night: this machine, or Spark."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from tasks.errors import SettingsError
from tasks.spark.settings import EngineSettings, SparkSettings

if TYPE_CHECKING:
    from tasks.spark.steps import Step

_MISSING = (
    "engine.name is spark, and this environment has no pyspark: make .venv-spark by "
    "`make spark-tools`, and run the night by .venv-spark/bin/python"
)


def check_engine(engine: EngineSettings) -> None:
    """Raise `SettingsError` where the engine is not installed."""
    if engine.name == "spark" and not (find_spec("pyspark") and find_spec("sqlglot")):
        raise SettingsError(_MISSING)


@contextmanager
def engine_steps(
    engine: EngineSettings, spark: SparkSettings, folder: Path
) -> Iterator[Mapping["Step", "Step"]]:
    """Yield the steps that the engine takes, by the one-machine steps whose place they take.

    `folder` is one that driver and executors share. Raises what `check_engine` raises, and
    `SettingsError` where Spark does not start.
    """
    check_engine(engine)
    if engine.name == "duckdb":
        yield {}
        return
    from tasks.spark.session import spark_session  # noqa: PLC0415 - its extra may be missing
    from tasks.spark.steps import spark_steps  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    checkpoints = Path(mkdtemp(dir=folder, prefix=".spark-"))
    try:
        with spark_session(spark, checkpoints) as session:
            yield spark_steps(session, spark)
    finally:
        rmtree(checkpoints)
