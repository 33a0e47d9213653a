"""Readout of experiments, after the night: each that has been published, from the collected log.

    step        what it does                                what it leaves beside the history
    read_out    exposures joined to outcomes, judged        (nothing in the end)
    save        figures, document and page                  readouts.parquet, <id>.json, <id>.html

A breached guardrail, and users who are not divided as they should be, fail the run once all
experiments are read out, so that the alert of failed runs says so; where the definition has
`auto_stop`, the experiment is stopped first (docs/decisions/0049-statistics.md).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows import artifact_key, as_task
from flows._command import plain_errors, run_command
from nightshelf.admin.experiments import stop
from nightshelf.contract.experiment import STOPPED
from nightshelf.contract.keys import Keys
from nightshelf.errors import TransitionRefused
from tasks.errors import ExperimentAlarm
from tasks.experiments.definition import Definition
from tasks.experiments.load import load_experiments
from tasks.io.memory import limit_memory
from tasks.publish.redis_client import connect
from tasks.readout import read_out as reading
from tasks.readout import save as saving
from tasks.readout.page import to_markdown
from tasks.readout.read_out import Source, readable
from tasks.readout.records import Readout
from tasks.settings import Settings, load_settings

read_out = as_task(reading.read_out)
save = as_task(saving.save)


@flow(name="readout", flow_run_name="{namespace}")
def readout(
    events_dir: Path,
    users: Path | None = None,
    namespace: str = "shop",
    as_of: datetime | None = None,
    run_root: Path = Path("runs"),
    config: Path | None = None,
) -> list[Readout]:
    """Read out all experiments that have been published, and stop those that breach a guardrail.

    Args:
        events_dir: the collected log: a folder of `date=YYYY-MM-DD/` partitions.
        users: Parquet users file, for segments.
        namespace: whose experiments these are: a tenant, a scene, a surface.
        as_of: only what is before this instant is read; now where not given.
        run_root: where the nights have kept the history of the experiments.
        config: settings file, beside which `experiments.toml` stands.

    """
    Keys(namespace)  # it names folders too
    settings = load_settings(namespace, config)
    limit_memory(settings.machine)
    definitions = load_experiments(namespace, config)
    weights = settings.features.weights
    source = Source(namespace, events_dir, users, run_root, settings.roles, weights)
    until = as_of.replace(tzinfo=as_of.tzinfo or UTC) if as_of else datetime.now(UTC)
    found, alarms = [], list[str]()
    for definition in readable(definitions, source, until):
        each = read_out(definition, source, settings.readout, until)
        save(each, source.history.folder, namespace)
        show(each, namespace)
        alarms += alarms_of(each, definition, settings, namespace)
        found.append(each)
    if alarms:
        raise ExperimentAlarm("\n".join(alarms))
    return found


def show(found: Readout, namespace: str) -> None:
    """Put a readout into the Prefect UI, and its sentences into the log."""
    for sentence in found.sentences:
        get_run_logger().info("%s: %s", found.experiment, sentence)
    create_markdown_artifact(
        to_markdown(found, namespace),
        key=artifact_key(
            namespace, f"experiment-{artifact_key(found.experiment, 'readout')}".lower()
        ),
        description=f"Experiment {found.experiment}",
    )


def alarms_of(
    found: Readout, definition: Definition, settings: Settings, namespace: str
) -> Iterator[str]:
    """Yield the alarms of a readout, and stop the experiment on a breach where it asks for that."""
    if not found.valid:
        yield f"experiment {found.experiment}: {found.sentences[0]}"
    for breach, sentence in zip(found.breached, found.sentences, strict=False):
        yield f"experiment {found.experiment}: {sentence}"
        if breach is found.breached[-1] and definition.auto_stop:
            yield stopped(found.experiment, settings, namespace)


def stopped(experiment: str, settings: Settings, namespace: str) -> str:
    """Stop an experiment for all readers, and say so."""
    redis = connect(settings.redis_url.get_secret_value(), settings.publish)
    try:
        phase = stop(redis, namespace, experiment).phase
    except TransitionRefused as refused:  # it is not published any more
        return f"experiment {experiment}: not stopped: {refused}"
    finally:
        redis.close()
    return (
        f"experiment {experiment}: phase {phase} is {STOPPED} for all readers, as auto_stop asks: "
        "everybody gets the default model. Set its status in experiments.toml"
    )


def main(
    events_dir: Annotated[Path, typer.Option(help="Folder of date=YYYY-MM-DD/ partitions.")],
    users: Annotated[Path | None, typer.Option(help="Users file (Parquet), for segments.")] = None,
    namespace: Annotated[str, typer.Option(help="Whose experiments these are.")] = "shop",
    as_of: Annotated[
        datetime | None, typer.Option(help="Read only what is before this instant; now by default.")
    ] = None,
    run_root: Annotated[Path, typer.Option(help="Where the runs' folders are.")] = Path("runs"),
    config: Annotated[
        Path | None, typer.Option(help="Settings file; ./nightshelf.toml by default.")
    ] = None,
) -> None:
    """Read out all experiments that have been published.

    Example: python -m flows.readout --events-dir log/events --namespace shop
    """
    with plain_errors("readout"):
        found: Sequence[Readout] = readout(
            events_dir, users, namespace, as_of, run_root, config, return_state=True
        ).result()
    for each in found:
        for sentence in each.sentences:
            typer.echo(f"{each.experiment}: {sentence}")
    if not found:
        typer.echo(f"No experiment of {namespace} has been published and begun")


if __name__ == "__main__":
    run_command(main)
