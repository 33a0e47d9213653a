"""Commands `nightshelf runs`: the runs on disk, and the data of old ones deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nightshelf.admin.namespace_state import read_state
from nightshelf.cli.context import Context
from nightshelf.cli.tables.terminal import add_row, new_console, new_table, show_line
from nightshelf.errors import NightshelfError
from nightshelf.text import minute_text, size_text
from tasks.runs.prune import RunOnDisk, prune, runs_on_disk
from tasks.runs.settings import RunsSettings
from tasks.settings import load_settings


@dataclass(frozen=True)
class _Found:
    """The runs of a namespace, the rule that keeps them, and the present."""

    runs: Sequence[RunOnDisk]
    settings: RunsSettings
    now: datetime


def show_runs(context: Context, root: Path, config: Path | None) -> None:
    """Print the runs, the newest first, with the reason for which each is kept whole."""
    found = _found(context, root, config)
    if context.as_json:
        context.document(runs=[_row(each) for each in found.runs])
        return
    table = new_table(
        "run", "as of", "data", "in all", "kept whole", right=("run", "data", "in all")
    )
    for each in found.runs:
        as_of = minute_text(each.as_of.isoformat()) if each.as_of else "-"
        sizes = size_text(each.n_data_bytes), size_text(each.n_bytes)
        add_row(table, str(each.generation), as_of, *sizes, _kept(each))
    new_console().print(table)
    show_line(f"{size_text(sum(each.n_bytes for each in found.runs))} in {len(found.runs)} runs")


def prune_old(context: Context, root: Path, config: Path | None) -> None:
    """Delete the data of the runs that nothing keeps, once that was agreed to."""
    found = _found(context, root, config)
    old = [each for each in found.runs if not each.kept and each.n_data_bytes]
    n_bytes = sum(each.n_data_bytes for each in old)
    numbers = ", ".join(str(each.generation) for each in old)
    plan = f"{context.namespace}: the data of runs {numbers} ({size_text(n_bytes)}) is deleted"
    pruned = None
    if old and context.confirm(f"{plan}, their reports stay"):
        pruned = prune(old, found.now)
        if pruned.warnings:
            raise NightshelfError("; ".join(pruned.warnings))
    if context.as_json:
        generations = [each.generation for each in old]
        context.document(pruned=generations, bytes=n_bytes, dry_run=context.dry_run)
    elif not old:
        show_line(f"{context.namespace}: nothing to prune; all data is kept for a reason")
    elif pruned:
        show_line(f"{context.namespace}: {pruned.n_runs} runs pruned, {size_text(n_bytes)} free")


def _found(context: Context, root: Path, config: Path | None) -> _Found:
    folder = root / context.namespace
    if not folder.is_dir():
        raise NightshelfError(f"{folder} is no folder: name that of the runs with --run-root")
    settings, now = load_settings(context.namespace, config).runs, datetime.now(UTC)
    state = read_state(context.client, context.namespace)
    return _Found(runs_on_disk(root, state, settings, now), settings, now)


def _kept(run: RunOnDisk) -> str:
    if run.kept:
        return run.kept
    return f"pruned {minute_text(run.pruned)}" if run.pruned else "no: the next prune deletes it"


def _row(run: RunOnDisk) -> dict[str, object]:
    return {
        "generation": run.generation,
        "as_of": run.as_of.isoformat() if run.as_of else None,
        "bytes": run.n_bytes,
        "data_bytes": run.n_data_bytes,
        "pruned": run.pruned or None,
        "kept": run.kept or None,
    }
