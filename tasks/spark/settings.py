"""Settings of the engine."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class EngineSettings:
    """The engine that computes a night.

    - `name`: "duckdb" is this machine; "spark" is the cluster that `spark.session` names.
    """

    name: Literal["duckdb", "spark"] = "duckdb"


@dataclass(frozen=True)
class SparkSettings:
    """The Spark session; read where `engine.name` is "spark", never recorded.

    - `session`: properties of Spark by their own names, such as `spark.master`.
    - `checkpoint_every`: iterations of ALS between two checkpoints.
    """

    session: dict[str, str] = field(default_factory=dict)
    checkpoint_every: int = 10
