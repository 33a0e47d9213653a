"""`nightshelf evaluate`: models and rules beside one another, on one's own log."""

from datetime import UTC, datetime
from pathlib import Path

import typer

from nightshelf.cli.tables.terminal import add_row, new_console, new_table, show_line
from nightshelf.contract.keys import Keys
from nightshelf_ops.steps import shown_steps
from tasks.artifacts.records import CleanLog
from tasks.backfill import open_date
from tasks.choose.choose import choose_blend
from tasks.evaluation.compare.evaluate_log import Plan, evaluate_log, finish
from tasks.evaluation.compare.results import Evaluation
from tasks.evaluation.compare.tables import tables_of
from tasks.ingest.clean import clean_events
from tasks.ingest.contract import check_inputs
from tasks.recipe import Recipe
from tasks.runs.run_folder import Run, midnight
from tasks.settings import load_settings


def carry_out(
    events: Path,
    items: Path,
    users: Path | None,
    namespace: str,
    as_of: datetime | None,
    plan: Plan,
    run_root: Path,
    config: Path | None,
    *,
    as_json: bool,
) -> None:
    """Evaluate, and print the tables or the JSON document; raises `NightshelfError`."""
    until = as_of.replace(tzinfo=as_of.tzinfo or UTC) if as_of else midnight()
    run, found = _evaluated(events, items, users, namespace, until, plan, run_root, config)
    if as_json:
        typer.echo(found.to_json().decode(), nl=False)
    else:
        show(found)
        show_line(f"{run.path('evaluation.md')} and .json have all figures")


def show(found: Evaluation) -> None:
    """Print the tables of an evaluation."""
    console = new_console()
    for table in tables_of(found):
        shown = new_table(*table.heads, right=table.heads[table.n_names :])
        for row in table.rows:
            add_row(shown, *row)
        show_line(f"{table.title}: {table.about}")
        console.print(shown)
        show_line("")


def _evaluated(
    events: Path,
    items: Path,
    users: Path | None,
    namespace: str,
    until: datetime,
    plan: Plan,
    run_root: Path,
    config: Path | None,
) -> tuple[Run, Evaluation]:
    settings = load_settings(namespace, config)
    Keys(namespace)  # it names folders too
    inputs = check_inputs(events, items, users, settings.inputs)
    with shown_steps() as call:
        run = open_date(run_root / "evaluate", namespace, until)
        log = call(clean_events, run, inputs, settings.events, now=datetime.now(UTC))

        def choose(past: Run, known: CleanLog) -> Recipe:
            recipe = settings.compared
            chosen = call(choose_blend, past, known, settings.choose, recipe, None)
            return chosen.applied(recipe)

        found = evaluate_log(run, log, settings.compared, plan, call, choose)
    settings.save(run.path("settings.json"))
    finish(run, found)
    return run, found
