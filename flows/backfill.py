"""Past dates, each computed as if it were that day, by the night's own steps.

    step            what it does                                what it leaves
    check_inputs    every file readable, every column there     (nothing: it fails before all else)
    make_date       a date, in a process of its own: features,  runs/backfill/<ns>/<number>/, as a
                    model, lists, report, as far as asked       night's; finished ones are kept
    publish_date    the last date only, and only if asked: as   runs/<ns>/<generation>/
                    the night does, gates included

No date sees an event that happened or arrived after its midnight (`tasks/backfill.py`). A date
that fails stops no other; in the end the flow fails, and says which and why. Without `publish`
Redis is not needed (docs/decisions/0025-backfill.md).
"""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from prefect import flow, runtime
from prefect.artifacts import create_table_artifact
from pydantic import Field
from redis import Redis, RedisError
from rich.console import Console

from flows import artifact_key, as_task
from flows._command import plain_errors, print_error, run_command
from flows._dates import Job, make_all
from flows._dates_table import BackfillFailed, Row, to_table
from flows._publish_made import publish_made
from flows._steps import check_inputs, clear_orphans, open_run
from nightshelf.contract.keys import Keys
from nightshelf.errors import NightshelfError, TransitionRefused
from tasks import backfill as past
from tasks.backfill import Make
from tasks.errors import GateBlocked, SettingsError
from tasks.io.memory import limit_memory
from tasks.publish.go_live import newer_night
from tasks.publish.redis_client import connect
from tasks.runs.resume import adopt
from tasks.runs.run_folder import Run
from tasks.settings import load_settings

Publish = Literal["never", "last"]
AtLeastOne = Annotated[int, Field(ge=1)]
_RUNS = Path("runs")
#: Columns of a terminal that no line of the summary fills: paths stay whole.
_WIDE = 1_000

adopt_date = as_task(adopt)
make_lists = as_task(past.make_lists)
backtest = as_task(past.backtest)


def _run_name() -> str:
    """Name a run by what it makes, for the lists of runs in the Prefect UI."""
    asked = runtime.flow_run.parameters
    return f"{asked['namespace']}: {asked['make']} from {asked['start']} to {asked['end']}"


@flow(name="backfill", flow_run_name=_run_name)
def backfill(
    events: Path,
    items: Path,
    start: date,
    end: date,
    users: Path | None = None,
    step: AtLeastOne = 1,
    make: Make = "report",
    publish: Publish = "never",
    namespace: str = "shop",
    parallel: AtLeastOne = 1,
    run_root: Path = _RUNS,
    config: Path | None = None,
    *,
    force: bool = False,
) -> list[Row]:
    """Compute past dates, each as if it were that day.

    Args:
        events: Parquet event log, one file or a folder of `date=YYYY-MM-DD/` partitions.
        items: Parquet catalogue.
        start: first date; a date sees what was known at its midnight in UTC, as the night does.
        end: last date, included where the steps from `start` meet it.
        users: Parquet users file, for segments.
        step: days from one date to the next.
        make: how far each date is computed; each takes in those before it.
        publish: whether the last date goes live, by way of the gates.
        namespace: whose lists these are: a tenant, a scene, a surface.
        parallel: dates at a time. Memory grows with it; each date uses all cores already.
        run_root: where the runs' folders are made.
        config: settings file; `nightshelf.toml` of the working directory where not given.
        force: let the last date replace a live generation that has seen more.

    """
    settings = load_settings(namespace, config)
    limit_memory(settings.machine)
    Keys(namespace)  # it names folders too
    dates = past.midnights(start, end, step)
    redis = None
    if publish == "last":
        redis = connect(settings.redis_url.get_secret_value(), settings.publish)
        refuse_unless_publishable(redis, namespace, dates[-1], make, force=force)
    checked = check_inputs(events, items, users, settings.inputs)
    job = Job(namespace, checked, settings, make, parallel, run_root)
    rows = make_all(job, dates)
    if redis and (last := rows[-1].run):
        rows[-1] = publish_date(job, redis, last, force=force)
    show(rows, namespace)
    if any(row.why for row in rows):
        raise BackfillFailed(rows)
    return rows


def refuse_unless_publishable(
    client: Redis, namespace: str, as_of: datetime, make: Make, *, force: bool
) -> None:
    """Refuse, before any work, a last date without lists or older than the live generation.

    Raises `SettingsError`; `TransitionRefused` (`superseded`), unless `force`.
    """
    if make not in ("lists", "report"):
        raise SettingsError(f"publish=last needs lists, and make={make} ends before: make=lists")
    newer = newer_night(Run(namespace, 0, as_of, Path()), client)
    if newer and not force:
        raise TransitionRefused(
            "superseded",
            f"generation {newer.generation} of {namespace}, as of {newer.as_of}, is live and newer "
            f"than the last date, {as_of:%Y-%m-%d}: nothing was computed. --publish never computes "
            "without publishing; --force takes readers back to that date",
        )


def publish_date(job: Job, client: Redis, source: Run, *, force: bool) -> Row:
    """Publish a date's lists as a night's are, under a generation number of Redis."""
    try:
        run = open_run(client, job.namespace, source.as_of, job.run_root)
        with run.writing("settings"):
            job.settings.save(run.path("settings.json"))
        adopt_date(run, source)
        clear_orphans(run, client)
        made, recipe, chosen = make_lists(run, job.inputs, job.settings)
        quality = backtest(run, made, job.settings, recipe)
        page = publish_made(
            run,
            client,
            made,
            quality,
            job.inputs,
            job.settings,
            recipe,
            chosen=chosen,
            force=force,
        )
    except (NightshelfError, RedisError) as error:
        state = "blocked" if isinstance(error, GateBlocked) else "failed"
        return Row(source.as_of, state, source, str(error))
    return Row(source.as_of, page.state, run)


def show(rows: Sequence[Row], namespace: str) -> None:
    """Put the summary into the Prefect UI."""
    create_table_artifact(
        [row.cells() | {"why": row.why} for row in rows],
        key=artifact_key(namespace, "backfill"),
        description="Outcome of each date",
    )


def main(
    events: Annotated[Path, typer.Option(help="Event log: a Parquet file or a folder of them.")],
    items: Annotated[Path, typer.Option(help="Catalogue (Parquet).")],
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First date.")],
    end: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Last date, where the steps meet it.")
    ],
    users: Annotated[Path | None, typer.Option(help="Users file (Parquet), for segments.")] = None,
    step: Annotated[int, typer.Option(min=1, help="Days from one date to the next.")] = 1,
    make: Annotated[Make, typer.Option(help="How far each date is computed.")] = "report",
    publish: Annotated[Publish, typer.Option(help="Whether the last date goes live.")] = "never",
    namespace: Annotated[str, typer.Option(help="Whose lists these are.")] = "shop",
    parallel: Annotated[
        int, typer.Option(min=1, help="Dates at a time; memory grows with it.")
    ] = 1,
    run_root: Annotated[Path, typer.Option(help="Where the runs' folders are made.")] = _RUNS,
    config: Annotated[
        Path | None, typer.Option(help="Settings file; ./nightshelf.toml by default.")
    ] = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Let the last date replace what has seen more.")
    ] = False,
) -> None:
    """Compute past dates, each as if it were that day: nothing later is seen.

    Four Sundays, their lists measured, nothing published, no Redis needed:

    python -m flows.backfill --events log/ --items items.parquet --step 7
    --start 2026-02-01 --end 2026-02-28 --make report --publish never

    One day, live in place of whatever is, gates permitting:

    python -m flows.backfill --events log/ --items items.parquet
    --start 2026-02-28 --end 2026-02-28 --publish last --force

    Started again it goes on where it stopped. Settings are the night's.
    """
    with plain_errors("backfill"):
        try:
            rows = backfill(
                events, items, start.date(), end.date(), users, step, make, publish, namespace,
                parallel, run_root, config, force=force, return_state=True,
            ).result()  # fmt: skip
        except BackfillFailed as failed:
            _print(failed.rows)
            raise typer.Exit(1) from None
    _print(rows)


def _print(rows: Sequence[Row]) -> None:
    """Print the summary, each line whole, and the reasons of failures."""
    Console(width=_WIDE).print(to_table(rows))
    for row in rows:
        if row.why:
            print_error(f"{row.day} {row.state}:", row.why)


if __name__ == "__main__":
    run_command(main)
