"""Tuning: settings that list better, searched for on the log's own days.

    step            what it does                              what it leaves
    check_inputs    every file readable, every column there   (nothing: it fails before all else)
    tune            trials on what is held out of a window,   runs/<ns>/tuning.sqlite3, from which
                    the best judged on the next               the same search goes on
    save            where it is better                        nightshelf.tuned.toml

`nightshelf tune` does the same without Prefect. Redis is not needed, and no night is touched
(docs/decisions/0044-tuning.md).
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows import artifact_key, as_task
from flows._command import plain_errors, run_command
from flows._steps import check_inputs
from nightshelf.contract.keys import Keys
from tasks.io.memory import limit_memory
from tasks.runs.run_folder import midnight
from tasks.settings import load_settings
from tasks.tuning import tune as tuning
from tasks.tuning.page import to_markdown
from tasks.tuning.search import Trial
from tasks.tuning.tune import Ask, Tuned
from tasks.tuning.tuned_file import TUNED, evidence, refuse_to_overwrite, save

_ASK = Ask()
search_and_judge = as_task(tuning.tune)


@flow(name="tune", flow_run_name="{namespace}")
def tune(
    events: Path,
    items: Path,
    users: Path | None = None,
    namespace: str = "shop",
    as_of: datetime | None = None,
    run_root: Path = Path("runs"),
    config: Path | None = None,
    ask: Ask = _ASK,
    out: Path = TUNED,
    *,
    force: bool = False,
) -> Tuned:
    """Search for better settings, and write them where later days prefer them.

    Args:
        events: Parquet event log, one file or a folder of `date=YYYY-MM-DD/` partitions.
        items: Parquet catalogue.
        users: Parquet users file.
        namespace: whose settings these are.
        as_of: only what is before this instant is seen; the last midnight in UTC where not given.
        run_root: where the search is kept.
        config: settings file; `nightshelf.toml` of the working directory where not given.
        ask: minutes, trials, days and users of the search, and its seed.
        out: file to write; never the settings file of the nights.
        force: overwrite `out`.

    """
    refuse_to_overwrite(out, force=force)
    Keys(namespace)  # it names folders too
    settings = load_settings(namespace, config)
    limit_memory(settings.machine)
    until = as_of.replace(tzinfo=as_of.tzinfo or UTC) if as_of else midnight()
    checked = check_inputs(events, items, users, settings.inputs)
    log = get_run_logger()

    def report(trial: Trial, best: Trial) -> None:
        found = trial.number, trial.figure, best.figure
        log.info("trial %d: %.3f of the night's NDCG@10; best %.3f", *found)

    tuned = search_and_judge(checked, settings, namespace, until, run_root, ask, report)
    if tuned.better:
        save(tuned, out, force=force)
    create_markdown_artifact(
        to_markdown(tuned),
        key=artifact_key(namespace, "tuning"),
        description="Settings found by a search, and how they did on later days",
    )
    return tuned


def main(
    events: Annotated[Path, typer.Option(help="Event log: a Parquet file or a folder of them.")],
    items: Annotated[Path, typer.Option(help="Catalogue (Parquet).")],
    users: Annotated[Path | None, typer.Option(help="Users file (Parquet).")] = None,
    namespace: Annotated[str, typer.Option(help="Whose settings these are.")] = "shop",
    as_of: Annotated[
        datetime | None,
        typer.Option(help="See what is before this instant; the last midnight in UTC by default."),
    ] = None,
    run_root: Annotated[Path, typer.Option(help="Where the search is kept.")] = Path("runs"),
    config: Annotated[
        Path | None, typer.Option(help="Settings file; ./nightshelf.toml by default.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.0, help="Time for the trials.")] = _ASK.minutes,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials in all.")] = None,
    out: Annotated[Path, typer.Option(help="File to write.")] = TUNED,
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Search for better settings, and write them to a file of their own.

    Example: python -m flows.tune --events log/ --items items.parquet --minutes 10
    """
    with plain_errors("search"):
        tuned: Tuned = tune(
            events, items, users, namespace, as_of, run_root, config, Ask(minutes, trials), out,
            force=force, return_state=True,
        ).result()  # fmt: skip
    for line in evidence(tuned):
        typer.echo(line)
    typer.echo(f"Written: {out}" if tuned.better else "No file was written: nothing does better.")


if __name__ == "__main__":
    run_command(main)
