"""Evaluation: models and rules beside one another, on held-out events of one's own log.

    step            what it does                                what it leaves
    check_inputs    every file readable, every column there     (nothing: it fails before all else)
    clean_events    each good event once, before as_of          (nothing in the end)
    by_time         the last days held out                      "
    last_event      each judged user's newest item held out     "
    choose_blend    by the part that is not held out alone      "
    build_features  of that part                                "
    train_blend     each model, from scratch                    "
    judge_lists     each model's lists under each rule          "
    judge_among     the newest item among 99 random ones        "
    write           all figures                                 evaluation.json, evaluation.md

Nothing is published, and Redis is not needed. The files are in `runs/evaluate/<ns>/<number>/`
(docs/decisions/0042-evaluation.md).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar, cast

import typer
from prefect import flow, runtime
from prefect.artifacts import create_markdown_artifact
from pydantic import Field
from rich.console import Console

from flows import artifact_key, as_task
from flows._command import errors_once, plain_errors, run_command
from flows._steps import PIPELINE, check_inputs, choose_blend, clean_events
from nightshelf.cli.tables.terminal import add_row, new_table
from nightshelf.contract.keys import Keys
from tasks.artifacts.records import CleanLog
from tasks.backfill import open_date
from tasks.evaluation import protocols as splits
from tasks.evaluation.compare import judge
from tasks.evaluation.compare.evaluate_log import Protocol, evaluate_log, finish, plan_of
from tasks.evaluation.compare.results import Evaluation
from tasks.evaluation.compare.tables import tables_of, to_markdown
from tasks.io.memory import limit_memory
from tasks.recipe import Recipe
from tasks.runs.run_folder import Run, midnight
from tasks.settings import load_settings

P = ParamSpec("P")
R = TypeVar("R")
AtLeastOne = Annotated[int, Field(ge=1)]

#: Steps that an evaluation calls, as tasks.
STEPS: dict[Callable[..., Any], Callable[..., Any]] = PIPELINE | {
    step: as_task(step)
    for step in (splits.by_time, splits.last_event, judge.judge_lists, judge.judge_among)
}
#: Columns of a terminal that no line of a table fills.
_WIDE = 1_000


def run_task(step: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a step of the evaluation as its task."""
    return cast("R", STEPS[step](*args, **kwargs))


def _run_name() -> str:
    """Name a run by what it judges, for the lists of runs in the Prefect UI."""
    asked = runtime.flow_run.parameters
    return f"{asked['namespace']} as of {asked['as_of'] or 'last midnight'}"


@flow(name="evaluate", flow_run_name=_run_name)
def evaluate(
    events: Path,
    items: Path,
    users: Path | None = None,
    namespace: str = "shop",
    as_of: datetime | None = None,
    days: AtLeastOne = 7,
    protocols: list[Protocol] | None = None,
    max_users: AtLeastOne = 20_000,
    every_rule: bool = False,
    seed: int = 1,
    run_root: Path = Path("runs"),
    config: Path | None = None,
) -> tuple[Run, Evaluation]:
    """Judge each model's lists, and the price of each rule, by held-out events.

    Args:
        events: Parquet event log, one file or a folder of `date=YYYY-MM-DD/` partitions.
        items: Parquet catalogue.
        users: Parquet users file, for segments.
        namespace: whose lists these are: a tenant, a scene, a surface.
        as_of: only what is before this instant is read; the last midnight in UTC where not given.
        days: last days held out by time.
        protocols: those to judge by; all where not given.
        max_users: most users to judge, a sample by a hash of the id.
        every_rule: also judge rules that the settings turn off.
        seed: of the intervals' resamples and of the random items.
        run_root: where the run's folder is made.
        config: settings file; `nightshelf.toml` of the working directory where not given.

    """
    settings = load_settings(namespace, config)
    limit_memory(settings.machine)
    Keys(namespace)  # it names folders too
    until = as_of.replace(tzinfo=as_of.tzinfo or UTC) if as_of else midnight()
    checked = check_inputs(events, items, users, settings.inputs)
    run = open_date(run_root / "evaluate", namespace, until)
    settings.save(run.path("settings.json"))
    log = clean_events(run, checked, settings.events, now=datetime.now(UTC))
    plan = plan_of(protocols or (), days, max_users, seed, every_rule=every_rule)

    def choose(past: Run, known: CleanLog) -> Recipe:
        recipe = settings.compared
        return choose_blend(past, known, settings.choose, recipe, None).applied(recipe)

    found = evaluate_log(run, log, settings.compared, plan, run_task, choose)
    finish(run, found)
    create_markdown_artifact(
        to_markdown(found), key=artifact_key(namespace, "evaluation"), description="Evaluation"
    )
    return run, found


def main(
    events: Annotated[Path, typer.Option(help="Event log: a Parquet file or a folder of them.")],
    items: Annotated[Path, typer.Option(help="Catalogue (Parquet).")],
    users: Annotated[Path | None, typer.Option(help="Users file (Parquet), for segments.")] = None,
    namespace: Annotated[str, typer.Option(help="Whose lists these are.")] = "shop",
    as_of: Annotated[
        datetime | None, typer.Option(help="As for a night; the last midnight in UTC by default.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Last days held out by time.")] = 7,
    protocol: Annotated[
        list[str] | None,
        typer.Option(help="by-time, last-event or one-against-99; repeatable; all by default."),
    ] = None,
    max_users: Annotated[int, typer.Option(min=1, help="Most users to judge, a sample.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of intervals and random items.")] = 1,
    run_root: Annotated[Path, typer.Option(help="Where the run's folder is made.")] = Path("runs"),
    config: Annotated[
        Path | None, typer.Option(help="Settings file; ./nightshelf.toml by default.")
    ] = None,
    *,
    every_rule: Annotated[
        bool, typer.Option("--every-rule", help="Also judge rules that the settings turn off.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Judge each model's lists, and the price of each rule, by held-out events of the log.

    Example: python -m flows.evaluate --events log/ --items items.parquet --as-of 2026-03-01

    Nothing is published. Settings are the night's: NIGHTSHELF_<STEP>__<NAME> or the settings file.
    """
    with plain_errors("evaluation"), errors_once():
        plan = plan_of(protocol or (), days, max_users, seed, every_rule=every_rule)
        run, found = evaluate(
            events, items, users, namespace, as_of, days, list(plan.protocols), max_users,
            every_rule, seed, run_root, config, return_state=True,
        ).result()  # fmt: skip
    if json:
        typer.echo(found.to_json().decode(), nl=False)
        return
    console = Console(width=_WIDE, markup=False, highlight=False)
    for table in tables_of(found):
        shown = new_table(*table.heads, right=table.heads[table.n_names :])
        for row in table.rows:
            add_row(shown, *row)
        console.print(f"{table.title}: {table.about}", shown, "", sep="\n")
    console.print(f"{run.path('evaluation.md')} and .json have all figures")


if __name__ == "__main__":
    run_command(main)
