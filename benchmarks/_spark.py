"""Steps that Spark takes, beside the same steps on one machine, as the log grows.

    .venv-spark/bin/python -m benchmarks._spark

Both on this machine's cores (`local[*]`), from the clean log to similar items, with the settings'
half-lives and weights. The base grows by 2, 4 and 8 in users, items and events at once; a step's
exponent is the slope of its seconds over the size, both as logarithms, by least squares. The ratio
is one machine's seconds over Spark's for the largest log.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, cast

import typer

from benchmarks._log import AS_OF, LogSize, MadeLog, make_log
from benchmarks._night_steps import Clock
from benchmarks.scale import GROWTH, exponent
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import check_inputs
from tasks.pipeline import Call, Pipeline
from tasks.runs.run_folder import Run
from tasks.settings import Settings
from tasks.spark.session import spark_session
from tasks.spark.steps import spark_steps

_WARM = LogSize(users=1_000, items=500, events=20_000)
Steps = Mapping[Callable[..., Any], Callable[..., Any]]


def main(
    users: Annotated[int, typer.Option(help="Users of the smallest log.")] = 10_000,
    items: Annotated[int, typer.Option(help="Items of the smallest log.")] = 2_000,
    events: Annotated[int, typer.Option(help="Events of the smallest log.")] = 500_000,
) -> None:
    """Print seconds by step of both, and exponents of Spark's."""
    settings, sizes = Settings(), [LogSize(n * users, n * items, n * events) for n in GROWTH]
    here: list[dict[str, float]] = []
    spark: list[dict[str, float]] = []
    with TemporaryDirectory() as folder, spark_session(settings.spark, Path(folder)) as session:
        steps = spark_steps(session, settings.spark)
        for size in (_WARM, *sizes):
            log = make_log(Path(folder) / str(size.events), size)
            here.append(seconds(log, Path(folder) / "here", len(here) + 1, {}))
            spark.append(seconds(log, Path(folder) / "spark", len(spark) + 1, steps))
            print(f"{size}: {sum(here[-1].values()):.1f} s, {sum(spark[-1].values()):.1f} on Spark")
    print(f"\nof {sizes[-1]}\n  {'step':18}{'here: s':>9}{'Spark: s':>10}{'exponent':>10}")
    for step in here[-1]:
        slope = exponent([each[step] for each in spark[1:]])
        print(f"  {step:18}{here[-1][step]:9.1f}{spark[-1][step]:10.1f}{slope:10.2f}")
    print(f"ratio: {sum(here[-1].values()) / sum(spark[-1].values()):.2f}")


def seconds(log: MadeLog, root: Path, number: int, steps: Steps) -> dict[str, float]:
    """Return the seconds of each step of a night, those of `steps` in place of this machine's."""
    clock, settings = Clock(), Settings()

    def call(step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return clock(steps.get(step, step), *args, **kwargs)

    run = Run("benchmark", number, AS_OF, root)
    found = check_inputs(log.events, log.items, log.users, settings.inputs)
    clean = call(clean_events, run, found, settings.events, now=AS_OF)
    chain = Pipeline(run, clean, settings.recipe, cast("Call", call))
    features, popularity = chain.features(), chain.popularity()
    chain.lists(features, chain.models(features, popularity, warm=False))
    return clock.seconds


if __name__ == "__main__":
    typer.run(main)
