"""The night: yesterday's events in, today's lists out.

    step            what it does                             what it leaves in runs/<ns>/<gen>/
    check_inputs    every file readable, every column there  (nothing: it fails before all else)
    open_run        the next generation number               settings.json
    take_over       what a run that broke off had finished   made_from.json
    clear_orphans   what dead publishers left, deleted       (a line in steps.jsonl)
    clean_events    each good event once, before as_of       events.parquet, quarantine.parquet
    take_over_rest  where only later events came meanwhile   (a line in steps.jsonl)
    open_phases     of what experiments.toml runs            (a line in steps.jsonl)
    choose_blend    half-lives and weights, by a backtest    choice.json
    build_features  interactions, feature rows               features/
    count_popularity of recent days                          features/popularity.parquet
    train_blend     all parts, from the night before's on    model/
    top_n           every user's exact, diverse list         lists/lists.parquet
    popular_lists   fallbacks, for strangers and trouble     lists/popular.parquet
    similar_items   items like this one                      lists/similar.parquet
    train_<model>   and top_n_<model>: further models        model/<model>/, lists/<model>/
    evaluate        offline quality, where set               backtest/quality.json
    judge_further   their figures and gates; or left out     further/<model>/
    record_phases   before any reader has them               experiments/, beside the runs
    estimate_memory of the generation in Redis               (a line in steps.jsonl)
    stage           into Redis, unseen by readers            manifest.json
    read_back       out of Redis again, proven by a digest
    measure         coverage, diversity, ... as served       catalogue.parquet, curves.json, ...
    measure_drift   against the nights before                drift.json
    check_gates     good enough to go live?                  gates.json
    flip            live, for every reader at once           (the pointer in Redis)
    write_report    to look at in the morning                report.html, .md, .json
    prune_runs      data of old runs, deleted                pruned.json, in those

Up to the flip a failure leaves the live generation as it is, and so does a gate that blocks: then
`keep_live` gives the live one its full time to live again. A pin leaves the new one staged. A night
that a newer one has overtaken ends before it chooses or trains (`flows._overtaken.py`); one that
only a later number has overtaken publishes what it made under a number of its own.
"""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from prefect import flow, runtime
from prefect.client.schemas.objects import State
from redis import Redis, RedisError
from rich.console import Console
from rich.markup import escape

from flows import _steps as steps
from flows._check_first import check_first
from flows._command import errors_once, plain_errors, run_command
from flows._graph import makers
from flows._night_page import failed
from flows._night_summary import show_summary
from flows._overtaken import later_night_waits, superseded, waited_for
from flows._publish_made import NightExperiments, publish_made
from nightshelf.admin.namespace_state import server_time
from nightshelf.errors import NightshelfError, TransitionRefused
from tasks.artifacts.records import CleanLog
from tasks.choose.choose import last_choice
from tasks.experiments.definition import Definition
from tasks.experiments.history import History
from tasks.experiments.load import load_experiments
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import Inputs
from tasks.io.memory import limit_memory
from tasks.pipeline import Call, Pipeline
from tasks.publish.go_live import has_rival
from tasks.publish.redis_client import connect
from tasks.report.build import Report
from tasks.runs.run_folder import Run, midnight
from tasks.settings import Settings, load_settings
from tasks.spark.engine import check_engine, engine_steps
from tasks.watch.settings import WatchSettings


def _run_name() -> str:
    """Name a run by what it makes, for the lists of runs in the Prefect UI."""
    asked = runtime.flow_run.parameters
    return f"{asked['namespace']} as of {asked['as_of'] or 'last midnight'}"


@flow(name="nightly", flow_run_name=_run_name)
def nightly(
    events: Path,
    items: Path,
    users: Path | None = None,
    namespace: str = "shop",
    as_of: datetime | None = None,
    run_root: Path = Path("runs"),
    config: Path | None = None,
) -> Report | State[None]:
    """Build and publish tonight's lists.

    Args:
        events: Parquet event log, one file or a folder of `date=YYYY-MM-DD/` partitions.
        items: Parquet catalogue.
        users: Parquet users file, for segments.
        namespace: whose lists these are: a tenant, a scene, a surface.
        as_of: only what is before this instant is seen; the last midnight in UTC where not given.
        run_root: where the run's folder is made.
        config: settings file; `nightshelf.toml` of the working directory where not given.

    """
    links = WatchSettings()
    try:
        settings = load_settings(namespace, config)
        links = settings.watch
        limit_memory(settings.machine)
        definitions = load_experiments(namespace, config)
        if as_of is None and later_night_waits(namespace):
            return waited_for(namespace)
        until = _utc(as_of) if as_of else midnight(runtime.flow_run.scheduled_start_time)
        return open_night(events, items, users, namespace, until, run_root, settings, definitions)
    except (NightshelfError, RedisError) as error:
        return failed(namespace, error, links)


def open_night(
    events: Path,
    items: Path,
    users: Path | None,
    namespace: str,
    until: datetime,
    run_root: Path,
    settings: Settings,
    definitions: Sequence[Definition],
) -> Report | State[None]:
    """Check the files, take the night's number, and make it."""
    check_engine(settings.engine)
    checked = steps.check_inputs(events, items, users, settings.inputs)
    redis = connect(settings.redis_url.get_secret_value(), settings.publish)

    run = steps.open_run(redis, namespace, until, run_root)
    try:
        return make_night(run, redis, checked, settings, definitions)
    except TransitionRefused as refused:
        if refused.reason != "fenced" or has_rival(run, redis):
            raise
    # A later number of an earlier date went live meanwhile, as a backfill's may. Under a number
    # later still, all that is computed is taken over.
    run = steps.open_run(redis, namespace, until, run_root)
    return make_night(run, redis, checked, settings, definitions)


def make_night(
    run: Run,
    redis: Redis,
    checked: Inputs,
    settings: Settings,
    definitions: Sequence[Definition] = (),
) -> Report | State[None]:
    """Do all the steps of a night that has its number, unless a newer one is live."""
    with engine_steps(settings.engine, settings.spark, run.folder) as places:
        call = steps.runner(places)
        return _make_night(run, redis, checked, settings, definitions, call)


def _make_night(
    run: Run,
    redis: Redis,
    checked: Inputs,
    settings: Settings,
    definitions: Sequence[Definition],
    call: Call,
) -> Report | State[None]:
    """Do the steps, those of the pipeline by `call`."""
    with run.writing("settings"):
        settings.save(run.path("settings.json"))
    if newer := steps.newer_night(run, redis):
        return superseded(run, newer)

    steps.take_over(run, checked.digests, settings.digest())
    steps.clear_orphans(run, redis)
    log = call(clean_events, run, checked, settings.events, now=server_time(redis))
    steps.take_over_rest(run)
    bad = steps.given_up(run, redis)
    experiments = open_experiments(run, redis, checked, log, definitions, settings)
    planned = settings.recipe_with(experiments.tonight.models)
    if newer := steps.newer_night(run, redis):
        return superseded(run, newer)
    chosen = steps.choose_blend(run, log, settings.choose, planned, last_choice(run, bad))
    recipe = chosen.applied(planned)
    makers.follow(recipe, chosen, planned)
    with run.writing("settings"):  # the refresh goes by them
        settings.taking(recipe).save(run.path("settings.json"))
    pipeline = Pipeline(run, log, recipe, call)
    features, popularity = pipeline.features(), pipeline.popularity()
    if newer := steps.newer_night(run, redis):
        return superseded(run, newer)
    models = pipeline.models(features, popularity, bad=bad)
    made = pipeline.lists(features, models)
    made = pipeline.further(made, popularity, bad=bad)

    quality = None
    if settings.evaluate.backtest_days:
        quality = steps.evaluate(run, log, settings.evaluate, recipe)

    return publish_made(
        run,
        redis,
        made,
        quality,
        checked,
        settings,
        recipe,
        chosen=chosen,
        experiments=experiments,
    )


def open_experiments(
    run: Run,
    redis: Redis,
    checked: Inputs,
    log: CleanLog,
    definitions: Sequence[Definition],
    settings: Settings,
) -> NightExperiments:
    """Open the phases of tonight's experiments; nothing is done where there never were any."""
    if not definitions and not History(run.root, run.namespace).exists:
        return NightExperiments()
    tonight = steps.open_phases(run, redis, definitions, checked, log, settings.roles)
    return NightExperiments(definitions, tonight)


def _utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def main(
    events: Annotated[Path, typer.Option(help="Event log: a Parquet file or a folder of them.")],
    items: Annotated[Path, typer.Option(help="Catalogue (Parquet).")],
    users: Annotated[Path | None, typer.Option(help="Users file (Parquet), for segments.")] = None,
    namespace: Annotated[str, typer.Option(help="Whose lists these are.")] = "shop",
    as_of: Annotated[
        datetime | None,
        typer.Option(help="See what is before this instant; the last midnight in UTC by default."),
    ] = None,
    run_root: Annotated[Path, typer.Option(help="Where the run's folder is made.")] = Path("runs"),
    config: Annotated[
        Path | None, typer.Option(help="Settings file; ./nightshelf.toml by default.")
    ] = None,
) -> None:
    """Build and publish tonight's lists.

    Example: python -m flows.nightly --events log/ --items items.parquet --as-of 2026-03-01

    Redis is REDIS_URL, settings are NIGHTSHELF_<STEP>__<NAME> or the settings file.
    """
    check_first(events, items, users, namespace, _utc(as_of) if as_of else None, config)
    with plain_errors("night"), errors_once():
        night = nightly(events, items, users, namespace, as_of, run_root, config, return_state=True)
        page = night.result()
    if not isinstance(page, Report):
        Console(stderr=True).print(f"Superseded: {escape(str(night.message))}", soft_wrap=True)
        raise typer.Exit(1)
    settings = load_settings(namespace, config)
    with closing(connect(settings.redis_url.get_secret_value(), settings.publish)) as redis:
        show_summary(page, namespace, redis)


if __name__ == "__main__":
    run_command(main)
