"""The second half of a night: judge, stage, read back, flip, and report what was made."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from redis import Redis

from flows import _steps as steps
from flows import artifact_key
from flows._night_page import night_page
from nightshelf.admin import generations
from nightshelf.contract.experiment import Experiment
from tasks.artifacts.records import Made, Provenance
from tasks.choose.choice import Choice
from tasks.errors import GateBlocked
from tasks.evaluation.backtest import Quality
from tasks.evaluation.further_models import FurtherModels
from tasks.experiments.definition import Definition
from tasks.experiments.tonight import Tonight
from tasks.features.serving_rules import counting_of
from tasks.ingest.contract import Inputs
from tasks.publish.keyspace import families
from tasks.recipe import Recipe
from tasks.report import build as report
from tasks.report.facts import Outcome
from tasks.runs.run_folder import Run
from tasks.settings import Settings
from tasks.watch.settings import WatchSettings


@dataclass(frozen=True)
class NightExperiments:
    """The definitions of a night's experiments, and their phases."""

    definitions: Sequence[Definition] = ()
    tonight: Tonight = field(default_factory=Tonight)


def publish_made(
    run: Run,
    redis: Redis,
    made: Made,
    quality: Quality | None,
    checked: Inputs,
    settings: Settings,
    recipe: Recipe,
    *,
    chosen: Choice | None = None,
    experiments: NightExperiments | None = None,
    force: bool = False,
) -> report.Report:
    """Publish a night's lists: stage, read back, measure, judge, flip, report.

    `recipe` is what the lists follow from, `chosen` the night's blend, if it is at hand. Without
    `experiments` those that are live go on. `force` lets it replace a live generation that has seen
    more. Raises `GateBlocked` after the report.
    """
    further = FurtherModels()
    if made.further or made.left_out:
        further = steps.judge_further(run, redis, made, settings.topn, settings.gates)
        made = made.without(further.left_out)
    shelves = families(run, made.files)
    steps.estimate_memory(run, redis, shelves)
    made_from = Provenance(
        settings.topn.n,
        settings.digest(),
        made.model.digest,
        checked.digests,
        counting_of(settings.events, recipe.features),
        chosen.published if chosen else None,
        _published(run, redis, made, experiments),
    )
    staged = steps.stage(run, redis, shelves, settings.publish, made_from)
    steps.read_back(run, redis, shelves, staged, settings.publish)
    metrics = steps.measure_lists(run, made, settings.topn)
    drift = steps.measure_drift(run, metrics.distributions, quality, settings.evaluate)
    of_choice = chosen.figures if chosen else {}
    verdict = steps.check_gates(
        run, redis, made, metrics, quality, drift, settings.gates, of_choice, further.figures
    )
    kept = steps.keep_live(run, redis) if verdict.blocked else None
    state = "blocked" if verdict.blocked else steps.flip(run, redis, force=force).state

    tonight = experiments.tonight if experiments else Tonight()
    outcome = Outcome(metrics, quality, verdict, state, drift, chosen, further, tonight)
    page = steps.write_report(run, made, staged, outcome, settings.targets)
    steps.prune_runs(run, redis, settings.runs)
    show(page, run.namespace, settings.watch)
    if kept:
        serves = "the live one goes on serving" if kept.n_keys else "and nothing is live"
        raise GateBlocked(
            f"generation {run.generation} of {run.namespace} stays staged, {serves}: "
            f"{verdict.reasons()}. Report: {page.html}"
        )
    return page


def _published(
    run: Run, redis: Redis, made: Made, experiments: NightExperiments | None
) -> tuple[Experiment, ...]:
    """Record a night's experiments, and return them as the manifest has them."""
    if experiments is None:
        live = generations.current(redis, run.namespace)
        return tuple(live.experiments) if live else ()
    models, tonight = list(made.models), experiments.tonight
    if tonight.phases:
        steps.record_phases(run, tonight, experiments.definitions, models)
    return tonight.published(models)


def show(page: report.Report, namespace: str, links: WatchSettings) -> None:
    """Put the report, its headline figures, its experiments and links into the Prefect UI."""
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
    if page.variants:
        create_table_artifact(
            [row._asdict() for row in page.variants],
            key=artifact_key(namespace, "experiments"),
            description="Variants, their shares of the users, and the models served",
        )
    if page.state != "blocked":  # the flow's end says what happened to a blocked one
        facts = orjson.loads(page.json.read_bytes())
        night_page(namespace, page.state, str(page.html), facts, links)
