"""The engine that settings name, where it is not installed."""

import pytest

from tasks.errors import SettingsError
from tasks.settings import Settings
from tasks.spark import engine
from tasks.spark.settings import EngineSettings, SparkSettings


def test_a_missing_spark_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match="make spark-tools"):
        engine.check_engine(EngineSettings("spark"))
    engine.check_engine(EngineSettings())


def test_properties_of_spark_are_not_recorded() -> None:
    secret = SparkSettings({"spark.hadoop.fs.s3a.secret.key": "swordfish"})
    one, other = Settings(spark=secret), Settings()
    assert "swordfish" not in str(one.public())
    assert one.digest() == other.digest()
