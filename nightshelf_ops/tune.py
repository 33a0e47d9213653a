"""`nightshelf tune`: search for better settings, and write them to a file of their own."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer

from nightshelf.cli.tables.terminal import new_console, show_error, show_line
from nightshelf.contract.keys import Keys
from nightshelf.errors import NightshelfError
from tasks.ingest.contract import check_inputs
from tasks.runs.run_folder import midnight
from tasks.settings import load_settings
from tasks.tuning.search import Trial
from tasks.tuning.tune import Ask, Tuned, tune
from tasks.tuning.tuned_file import evidence, refuse_to_overwrite, save


def carry_out(
    files: tuple[Path, Path, Path | None],
    namespace: str,
    as_of: datetime | None,
    config: Path | None,
    run_root: Path,
    ask: Ask,
    out: Path,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Search, print the result, and write the file where the result is better."""
    try:
        refuse_to_overwrite(out, force=force)
        Keys(namespace)  # it names a folder too
        settings = load_settings(namespace, config)
        until = as_of.replace(tzinfo=as_of.tzinfo or UTC) if as_of else midnight()
        inputs = check_inputs(*files, settings.inputs)
        console = new_console(stderr=True)
        tuned = tune(
            inputs, settings, namespace, until, run_root, ask, _print_trial,
            lambda line: console.print(line, highlight=False),
        )  # fmt: skip
        if tuned.better:
            save(tuned, out, force=force)
    except NightshelfError as error:
        show_error(str(error))
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(document(tuned, out), indent=2, default=str))
    else:
        _show(tuned, out)


def document(tuned: Tuned, out: Path) -> dict[str, object]:
    """Return the fields of `--json`; `file` is null where none was written."""
    return {**asdict(tuned), "better": tuned.better, "file": str(out) if tuned.better else None}


def _print_trial(trial: Trial, best: Trial) -> None:
    line = (
        f"trial {trial.number}: {trial.figure:.3f} of the night's NDCG@10 in {trial.seconds:.1f} s"
    )
    new_console(stderr=True).print(f"{line}; best {best.figure:.3f}", highlight=False)


def _show(tuned: Tuned, out: Path) -> None:
    for line in evidence(tuned):
        show_line(line)
    if tuned.better:
        show_line(f"Written: {out}. Copy its tables into nightshelf.toml to use them.")
    else:
        show_line("No file was written: on the later days nothing found does better.")
