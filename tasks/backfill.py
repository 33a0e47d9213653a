"""A past date, computed by the night's own steps as if it were that day.

No event that happened or arrived after the date's `as_of` is seen, no user who signed up later and
no item that was created later. The rest of the catalogue and of the users file is as it stands
now: docs/decisions/0025-backfill.md.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal

from tasks.artifacts.records import CleanLog, Made
from tasks.choose.choice import Choice
from tasks.choose.choose import choose_blend
from tasks.errors import SettingsError
from tasks.evaluation.backtest import Quality, evaluate
from tasks.evaluation.further_models import FurtherModels
from tasks.evaluation.gates import Verdict
from tasks.evaluation.measure import measure
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import Inputs
from tasks.io.duckdb_session import connect, one_file, query, write_query
from tasks.models.registry import MODELS
from tasks.pipeline import Pipeline
from tasks.recipe import Recipe
from tasks.recommend.similar_items import similar_items
from tasks.recommend.topn import LIST_STEPS
from tasks.report.build import write_report
from tasks.report.facts import Outcome
from tasks.runs.journal import computed
from tasks.runs.resume import find_done, take_over
from tasks.runs.run_folder import Run, highest_generation
from tasks.settings import Settings

#: How far a date is computed; each takes in those before it.
Make = Literal["features", "model", "lists", "report"]
_LAST_STEP: Mapping[Make, Callable[[Settings], str]] = {
    "features": lambda _: "build_features",
    "model": lambda settings: MODELS[settings.models.names[0]].train.__name__,
    "lists": lambda settings: _last_list_step(settings.models.names).__name__,
    "report": lambda _: "write_report",
}


def midnights(start: date, end: date, step_days: int) -> list[datetime]:
    """Return the `as_of` of every date from start to end, both included: its midnight in UTC.

    Raises `SettingsError` where there is none, or one is still to come.
    """
    if end < start:
        raise SettingsError(f"end, {end}, lies before start, {start}: expected start to end")
    days = range(0, (end - start).days + 1, step_days)
    found = [datetime.combine(start + timedelta(n), time(), UTC) for n in days]
    if found[-1] > datetime.now(UTC):
        raise SettingsError(f"{found[-1]:%Y-%m-%d} is still to come: a backfill is of past dates")
    return found


def open_date(root: Path, namespace: str, as_of: datetime) -> Run:
    """Make a run's folder under the next free number, without Redis."""
    while True:
        run = Run(namespace, highest_generation(root, namespace) + 1, as_of, root)
        with run.writing("folder"), suppress(FileExistsError):  # another date was first
            run.folder.mkdir(parents=True)
            return run


def find_date(
    root: Path, namespace: str, as_of: datetime, inputs: Inputs, settings: Settings, make: Make
) -> Run | None:
    """Return the run that has made a date already, of the same files, by the same settings."""
    following = Run(namespace, highest_generation(root, namespace) + 1, as_of, root)
    return find_done(following, inputs.digests, settings.digest(), _LAST_STEP[make](settings))


def make_date(run: Run, inputs: Inputs, settings: Settings, make: Make) -> None:
    """Compute a date as far as `make` says, taking over an interrupted run's finished steps.

    Raises what the night's steps raise.
    """
    with run.writing("settings"):
        settings.save(run.path("settings.json"))
    take_over(run, inputs.digests, settings.digest())
    pipeline, chosen = open_pipeline(run, inputs, settings)
    features = pipeline.features()
    if make == "features":
        return
    popularity = pipeline.popularity()
    models = pipeline.models(features, popularity, warm=False)  # no date depends on another
    if make == "model":
        return
    made = pipeline.further(pipeline.lists(features, models), popularity, warm=False)
    if make == "report":
        _report(run, made, settings, pipeline.recipe, chosen)


def make_lists(run: Run, inputs: Inputs, settings: Settings) -> tuple[Made, Recipe, Choice]:
    """Compute all that is published of a date, less what the run has taken over already."""
    pipeline, chosen = open_pipeline(run, inputs, settings)
    features, popularity = pipeline.features(), pipeline.popularity()
    models = pipeline.models(features, popularity, warm=False)
    made = pipeline.further(pipeline.lists(features, models), popularity, warm=False)
    return made, pipeline.recipe, chosen


def open_pipeline(run: Run, inputs: Inputs, settings: Settings) -> tuple[Pipeline, Choice]:
    """Clean log and catalogue as they were known at the date, choose its blend, and return both."""
    cleaned = clean_events(run, inputs, settings.events, now=datetime.now(UTC))
    known = known_items(run, cleaned)
    log = replace(cleaned, items=known.path, n_items=known.n_items)
    chosen = choose_blend(run, log, settings.choose, settings.recipe, None)
    recipe = chosen.applied(settings.recipe)
    with run.writing("settings"):
        settings.taking(recipe).save(run.path("settings.json"))
    return Pipeline(run, log, recipe), chosen


def backtest(run: Run, made: Made, settings: Settings, recipe: Recipe) -> Quality | None:
    """Judge the lists of some days before the date, where the settings ask for it."""
    if not settings.evaluate.backtest_days:
        return None
    return evaluate(run, made.log, settings.evaluate, recipe)


@dataclass(frozen=True)
class KnownItems:
    """The catalogue as it was known at a date: relation `items` of `CleanLog`."""

    path: Path
    n_items: int


@computed
def known_items(run: Run, log: CleanLog) -> KnownItems:
    """Leave items created after `as_of` out of the catalogue."""
    path = run.path("known/items.parquet")
    with connect(run.folder) as db:
        for name, source in (("events", log.events), ("items", log.items)):
            db.read_parquet(one_file(source)).create_view(name)
        return KnownItems(
            path, write_query(db, query("evaluation/items_known"), path, {"as_of": run.as_of})
        )


@dataclass(frozen=True)
class Summary:
    """Figures of a date; none where not made or not measured."""

    events: int | None = None
    users: int | None = None
    items: int | None = None
    coverage: float | None = None
    diversity: float | None = None
    ndcg_at_10: float | None = None
    seconds: float | None = None


def summarise(run: Run) -> Summary:
    """Read a run's figures from its journal; seconds are of all its steps, taken over or not."""
    journal = run.steps()
    steps: dict[str, dict[str, Any]] = {line["step"]: line for line in journal}
    features, lists = steps.get("build_features", {}), steps.get("measure", {})
    return Summary(
        events=steps.get("clean_events", {}).get("n_events"),
        users=features.get("n_known_users"),
        items=features.get("n_catalogue"),
        coverage=lists.get("coverage"),
        diversity=lists.get("diversity"),
        ndcg_at_10=steps.get("evaluate", {}).get("lists", {}).get("ndcg_at_10"),
        seconds=sum(line["seconds"] for line in journal),
    )


def _last_list_step(models: Sequence[str]) -> Callable[..., object]:
    return similar_items if len(models) == 1 else LIST_STEPS[models[-1]]


def _report(run: Run, made: Made, settings: Settings, recipe: Recipe, chosen: Choice) -> None:
    """Write the report of lists that are not published."""
    quality = backtest(run, made, settings, recipe)
    metrics = measure(run, made, settings.topn)
    further = FurtherModels(left_out=made.left_out)
    verdict, state = Verdict(()), "not published"
    outcome = Outcome(metrics, quality, verdict, state, choice=chosen, further=further)
    write_report(run, made, None, outcome, settings.targets)
