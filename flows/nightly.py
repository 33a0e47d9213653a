"""The night: yesterday's events in, today's lists out.

    step            what it does                             what it leaves in runs/<ns>/<gen>/
    check_inputs    every file readable, every column there  (nothing: it fails before all else)
    open_run        the next generation number               settings.json
    take_over       what a run that broke off had finished   made_from.json
    clear_orphans   what dead publishers left, deleted       (a line in steps.jsonl)
    clean_events    each good event once, up to as_of        events.parquet, quarantine.parquet
    choose_blend    half-lives and weights, by a backtest    choice.json
    build_features  interactions, feature rows               features/
    count_popularity of recent days                          features/popularity.parquet
    train_blend     all parts, from the night before's on    model/
    top_n           every user's exact, diverse list         lists/lists.parquet
    popular_lists   fallbacks, for strangers and trouble     lists/popular.parquet
    similar_items   items like this one                      lists/similar.parquet
    evaluate        offline quality, where set               backtest/quality.json
    estimate_memory of the generation in Redis               (a line in steps.jsonl)
    stage           into Redis, unseen by readers            manifest.json
    read_back       out of Redis again, proven by a digest
    measure         coverage, diversity, ... as served       curves.json, distributions.json
    measure_drift   against the nights before                drift.json
    check_gates     good enough to go live?                  gates.json
    flip            live, for every reader at once           (the pointer in Redis)
    write_report    to look at in the morning                report.html, .md, .json

Up to the flip a failure leaves the live generation as it is, and so does a gate that blocks: then
`keep_live` gives the live one its full time to live again. A pin leaves the new one staged. A night
that a newer one has overtaken ends before it trains (`flows._overtaken.py`); one that only a later
number has overtaken publishes what it made under a number of its own.
"""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar, cast

import typer
from prefect import flow, runtime
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from redis import Redis
from rich.console import Console
from rich.markup import escape

from flows import artifact_key, as_task, redis_failed
from flows._check_first import check_first
from flows._command import errors_once, plain_errors, run_command
from flows._night_summary import show_summary
from flows._overtaken import later_night_waits, superseded, waited_for
from nightshelf.admin.namespace_state import server_time
from nightshelf.errors import TransitionRefused
from tasks.artifacts.records import Made, Provenance
from tasks.choose import choose
from tasks.choose.choice import Choice
from tasks.choose.choose import last_choice
from tasks.errors import GateBlocked
from tasks.evaluation import backtest, gate_step, measure
from tasks.evaluation.backtest import Quality
from tasks.evaluation.drift import compare
from tasks.features.build import build_features
from tasks.features.count_popularity import count_popularity
from tasks.features.serving_rules import counting_of
from tasks.ingest import clean as events
from tasks.ingest import contract as inputs
from tasks.models.registry import MODELS
from tasks.pipeline import Pipeline, Recipe
from tasks.publish import go_live as live
from tasks.publish import memory_estimate as memory
from tasks.publish import stage as publish
from tasks.publish.keyspace import families
from tasks.recommend.popularity import popular_lists
from tasks.recommend.similar_items import similar_items
from tasks.recommend.topn import top_n
from tasks.report import build as report
from tasks.runs import resume
from tasks.runs.run_folder import Run, midnight
from tasks.settings import Settings, load_settings

P = ParamSpec("P")
R = TypeVar("R")

HOUR_S = 3600
#: Redis may be away for a moment; what these steps write they can write again.
PATIENT = {
    "retries": 3,
    "retry_delay_seconds": [2, 10, 30],
    "retry_condition_fn": redis_failed,
}

check_inputs = as_task(inputs.check_inputs, timeout_seconds=HOUR_S)
open_run = as_task(publish.open_run, **PATIENT)
take_over = as_task(resume.take_over)
newer_night = as_task(live.newer_night, **PATIENT)
given_up = as_task(live.given_up, **PATIENT)
clear_orphans = as_task(live.clear_orphans, **PATIENT)
clean_events = as_task(events.clean_events, timeout_seconds=2 * HOUR_S)
#: Limits of the pipeline's steps in hours.
_LIMITS_H: dict[Callable[..., Any], int] = {
    build_features: 2,
    count_popularity: 1,
    **{model.train: 4 for model in MODELS.values()},
    top_n: 2,
    popular_lists: 1,
    similar_items: 1,
}
#: Steps of the pipeline as tasks.
PIPELINE: dict[Callable[..., Any], Callable[..., Any]] = {
    step: as_task(step, timeout_seconds=limit_h * HOUR_S) for step, limit_h in _LIMITS_H.items()
}
choose_blend = as_task(choose.choose_blend, timeout_seconds=2 * HOUR_S)
evaluate = as_task(backtest.evaluate, timeout_seconds=6 * HOUR_S)
estimate_memory = as_task(memory.estimate_memory, **PATIENT)
stage = as_task(publish.stage, timeout_seconds=2 * HOUR_S, **PATIENT)
read_back = as_task(publish.read_back, timeout_seconds=2 * HOUR_S, **PATIENT)
measure_lists = as_task(measure.measure, timeout_seconds=HOUR_S)
measure_drift = as_task(compare.measure_drift, timeout_seconds=HOUR_S)
check_gates = as_task(gate_step.check_gates, timeout_seconds=HOUR_S, **PATIENT)
flip = as_task(live.flip, **PATIENT)
keep_live = as_task(live.keep_live, **PATIENT)
write_report = as_task(report.write_report, timeout_seconds=HOUR_S)


def run_task(step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a step of the pipeline as its task."""
    return cast("R", PIPELINE[step](*args, **kwargs))


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
) -> report.Report | State[None]:
    """Build and publish tonight's lists.

    Args:
        events: Parquet event log, one file or a folder of `date=YYYY-MM-DD/` partitions.
        items: Parquet catalogue.
        users: Parquet users file, for segments.
        namespace: whose lists these are: a tenant, a scene, a surface.
        as_of: nothing after this instant is seen; the last midnight in UTC where not given.
        run_root: where the run's folder is made.
        config: settings file; `nightshelf.toml` of the working directory where not given.

    """
    settings = load_settings(namespace, config)
    if as_of is None and later_night_waits(namespace):
        return waited_for()
    until = _utc(as_of) if as_of else midnight(runtime.flow_run.scheduled_start_time)

    checked = check_inputs(events, items, users, settings.inputs)
    redis = publish.connect(settings.redis_url.get_secret_value(), settings.publish)

    run = open_run(redis, namespace, until, run_root)
    try:
        return make_night(run, redis, checked, settings)
    except TransitionRefused as refused:
        if refused.reason != "fenced" or live.has_rival(run, redis):
            raise
    # A later number of an earlier date went live meanwhile, as a backfill's may. Under a number
    # later still, all that is computed is taken over.
    run = open_run(redis, namespace, until, run_root)
    return make_night(run, redis, checked, settings)


def make_night(
    run: Run, redis: Redis, checked: inputs.Inputs, settings: Settings
) -> report.Report | State[None]:
    """Do all the steps of a night that has its number, unless a newer one is live."""
    with run.writing("settings"):
        settings.save(run.path("settings.json"))
    if newer := newer_night(run, redis):
        return superseded(run, newer)

    take_over(run, checked.digests, settings.digest())
    clear_orphans(run, redis)
    log = clean_events(run, checked, settings.events, now=server_time(redis))
    bad = given_up(run, redis)
    chosen = choose_blend(run, log, settings.choose, settings.recipe, last_choice(run, bad))
    recipe = chosen.applied(settings.recipe)
    with run.writing("settings"):  # the refresh goes by them
        settings.taking(recipe).save(run.path("settings.json"))
    pipeline = Pipeline(run, log, recipe, run_task)
    features, popularity = pipeline.features(), pipeline.popularity()
    if newer := newer_night(run, redis):
        return superseded(run, newer)
    models = pipeline.models(features, popularity, bad=bad)
    made = pipeline.lists(features, models)

    quality = None
    if settings.evaluate.backtest_days:
        quality = evaluate(run, log, settings.evaluate, recipe)

    return publish_made(run, redis, made, quality, checked, settings, recipe, chosen=chosen)


def publish_made(
    run: Run,
    redis: Redis,
    made: Made,
    quality: Quality | None,
    checked: inputs.Inputs,
    settings: Settings,
    recipe: Recipe,
    *,
    chosen: Choice | None = None,
    force: bool = False,
) -> report.Report:
    """Publish a night's lists: stage, read back, measure, judge, flip, report.

    `recipe` is what the lists follow from, `chosen` the night's blend, if it is at hand. `force`
    lets it replace a live generation that has seen more. Raises `GateBlocked` after the report.
    """
    shelves = families(run, made.files)
    estimate_memory(run, redis, shelves)
    counting = counting_of(settings.events, recipe.features)
    made_from = Provenance(
        settings.topn.n,
        settings.digest(),
        made.model.digest,
        checked.digests,
        counting,
        chosen.published if chosen else None,
    )
    staged = stage(run, redis, shelves, settings.publish, made_from)
    read_back(run, redis, shelves, staged, settings.publish)
    metrics = measure_lists(run, made, settings.topn)
    drift = measure_drift(run, metrics.distributions, quality, settings.evaluate)
    verdict = check_gates(
        run, redis, made, metrics, quality, drift, settings.gates, chosen.figures if chosen else {}
    )
    kept = keep_live(run, redis) if verdict.blocked else None
    state = "blocked" if verdict.blocked else flip(run, redis, force=force).state

    outcome = report.Outcome(metrics, quality, verdict, state, drift, chosen)
    page = write_report(run, made, staged, outcome, settings.targets)
    show(page, run.namespace)
    if kept:
        serves = "the live one goes on serving" if kept.n_keys else "and nothing is live"
        raise GateBlocked(
            f"generation {run.generation} of {run.namespace} stays staged, {serves}: "
            f"{verdict.reasons()}. Report: {page.html}"
        )
    return page


def show(page: report.Report, namespace: str) -> None:
    """Put the report and its headline figures into the Prefect UI."""
    create_markdown_artifact(
        page.md.read_text(),
        key=artifact_key(namespace, "report"),
        description="The night's report",
    )
    create_table_artifact(
        [row._asdict() for row in page.headline],
        key=artifact_key(namespace, "headline"),
        description="Headline figures and targets",
    )


def _utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def main(
    events: Annotated[Path, typer.Option(help="Event log: a Parquet file or a folder of them.")],
    items: Annotated[Path, typer.Option(help="Catalogue (Parquet).")],
    users: Annotated[Path | None, typer.Option(help="Users file (Parquet), for segments.")] = None,
    namespace: Annotated[str, typer.Option(help="Whose lists these are.")] = "shop",
    as_of: Annotated[
        datetime | None,
        typer.Option(help="See nothing after this instant; the last midnight in UTC by default."),
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
    if not isinstance(page, report.Report):
        Console(stderr=True).print(f"Superseded: {escape(str(night.message))}", soft_wrap=True)
        raise typer.Exit(1)
    settings = load_settings(namespace, config)
    with closing(publish.connect(settings.redis_url.get_secret_value(), settings.publish)) as redis:
        show_summary(page, namespace, redis)


if __name__ == "__main__":
    run_command(main)
