"""Commands ``nightshelf experiment``: the published experiments, and the stop of one.

Commands that need the pipeline join `group` (`nightshelf_ops`).
"""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from nightshelf.admin.experiments import published, stopping
from nightshelf.admin.generations import current
from nightshelf.admin.namespace_state import change, read_state
from nightshelf.cli.context import Context, command
from nightshelf.cli.options import checked_id
from nightshelf.cli.tables.experiments import show_experiments, stop_text
from nightshelf.cli.tables.terminal import show_line
from nightshelf.contract.allocation import state_at, traffic_percent, variant_percents
from nightshelf.contract.experiment import Experiment
from nightshelf.errors import NotFound

Id = Annotated[
    str, typer.Argument(metavar="ID", parser=checked_id, help="Which experiment: see `list`.")
]

group = typer.Typer(
    help="Plan, list, stop and read out experiments between models.", no_args_is_help=True
)
app = typer.Typer()
app.add_typer(group, name="experiment")


@command(
    group,
    name="list",
    epilog="Examples: nightshelf experiment list; nightshelf experiment list -s homepage --json",
)
def list_experiments(context: Context) -> None:
    """List the experiments of the live generation: phase, traffic, and each variant's model."""
    live = current(context.client, context.namespace)
    if live is None:
        raise NotFound(context.absent("is live"))
    now = datetime.now(UTC)
    if context.as_json:
        experiments = [_document(each, now) for each in live.experiments]
        context.document(generation=live.generation, experiments=experiments)
    else:
        show_experiments(live.experiments, now)


@command(
    group,
    changes=True,
    epilog="Examples: nightshelf experiment stop exp-1 --dry-run; nightshelf experiment stop exp-1",
)
def stop(context: Context, experiment: Id) -> None:
    """Stop an experiment for all readers, until its next phase: the default model is served."""
    before = read_state(context.client, context.namespace)
    found, after = published(before, experiment), stopping(experiment)(before)
    agreed = after == before or context.confirm(stop_text(context.namespace, found))
    if agreed and after != before:
        after = change(context.client, context.namespace, stopping(experiment))
    if context.as_json:
        status = published(before if context.dry_run else after, experiment).status
        about: dict[str, Any] = {"experiment": experiment, "phase": found.phase, "status": status}
        context.document(**about, dry_run=context.dry_run)
    elif agreed:
        show_line(f"{context.namespace}: {experiment}, phase {found.phase}, is stopped")


def _document(experiment: Experiment, now: datetime) -> dict[str, Any]:
    """Return the published record, with its state now and its shares in percent."""
    record = asdict(experiment)
    percents = variant_percents(experiment)
    record["variants"] = [
        {**each, "percent": percents[each["name"]]} for each in record["variants"]
    ]
    state = {"state": state_at(experiment, now), "traffic_percent": traffic_percent(experiment)}
    return record | state
