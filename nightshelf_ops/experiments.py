"""Commands of `nightshelf experiment` that need the pipeline: plan and readout."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from nightshelf.cli.experiments import group
from nightshelf.cli.options import SHOP, Config, Json, Namespace, RunRoot
from nightshelf_ops.reporting import pipeline, reported


@group.command(
    epilog="Examples: nightshelf experiment plan --baseline 0.05 --lift 0.10 --daily-users 5000; "
    "nightshelf experiment plan --from-log log/ --metric ctr --lift 0.03"
)
def plan(
    lift: Annotated[float, typer.Option(help="Relative lift to be found: 0.1 is 10 %.")],
    baseline: Annotated[
        float | None, typer.Option(help="Share of users who convert now, over 0 and below 1.")
    ] = None,
    from_log: Annotated[
        Path | None, typer.Option(help="Take baseline and variance from this event log.")
    ] = None,
    metric: Annotated[
        str, typer.Option(help="conversion, ctr, revenue, or a type of event; of --from-log.")
    ] = "conversion",
    power: Annotated[float, typer.Option(help="Share of such lifts that are found.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Share of false findings without a lift.")] = 0.05,
    variants: Annotated[int, typer.Option(help="Variants, control included.")] = 2,
    daily_users: Annotated[
        float | None, typer.Option(min=1, help="New users a day in the experiment.")
    ] = None,
    log_days: Annotated[int, typer.Option(min=1, help="Last days of the log to take.")] = 14,
    as_of: Annotated[
        datetime | None, typer.Option(help="End of the log; the last midnight in UTC by default.")
    ] = None,
    namespace: Namespace = SHOP,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Plan an experiment: users a variant, and days, for a lift to be found."""
    with reported(as_json=as_json):
        with pipeline():
            from nightshelf_ops.plan import show
            from tasks.readout.plan import Plan, plan_rate
            from tasks.statistics.power import Goal
        if (baseline is None) == (from_log is None):
            raise typer.BadParameter("give one of --baseline and --from-log")
        try:
            goal = Goal(lift, power, alpha, variants)
            found: Plan
            if baseline is not None:
                found = plan_rate(baseline, goal, daily_users)
            else:
                from nightshelf_ops.plan_log import planned  # the settings take seconds to import

                assert from_log is not None, "there is one of the two"
                span = (log_days, as_of)
                found = planned(from_log, metric, goal, span, daily_users, namespace, config)
            show(found, as_json=as_json)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None


@group.command(
    epilog="Examples: nightshelf experiment readout exp-1 --events log/events; "
    "nightshelf experiment readout exp-1 --events log/events --as-of 2026-03-15 --json"
)
def readout(
    experiment: Annotated[str, typer.Argument(metavar="ID", help="As in experiments.toml.")],
    events: Annotated[Path, typer.Option(help="Collected log: a Parquet file or a folder.")],
    users: Annotated[Path | None, typer.Option(help="Users file (Parquet), for segments.")] = None,
    namespace: Namespace = SHOP,
    as_of: Annotated[
        datetime | None, typer.Option(help="See nothing after; now by default.")
    ] = None,
    run_root: RunRoot = Path("runs"),
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Read an experiment out: sample ratio, metrics, verdict, and what would change it."""
    with reported(as_json=as_json):
        with pipeline():
            from nightshelf_ops.readout import carry_out
        carry_out(experiment, events, users, namespace, as_of, run_root, config, as_json=as_json)
