"""The night's two steps of experiments: open their phases, and record them before the flip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis import Redis

from nightshelf.admin import generations
from tasks.artifacts.records import CleanLog
from tasks.experiments.definition import Definition
from tasks.experiments.history import History
from tasks.experiments.outcomes import read_outcomes, with_exposures
from tasks.experiments.tonight import Tonight, record, tonight_of
from tasks.ingest.contract import Inputs
from tasks.runs.journal import step
from tasks.runs.run_folder import Run


@dataclass(frozen=True)
class Recorded:
    """Number of phases in the history, and of the experiments that are published."""

    n_phases: int
    n_experiments: int


@step
def open_phases(
    run: Run,
    client: Redis,
    definitions: Sequence[Definition],
    inputs: Inputs,
    log: CleanLog,
    roles: Mapping[str, Sequence[str]],
) -> Tonight:
    """Open tonight's phases; a bandit's shares follow from the exposures in the log's files.

    `roles` gives the event types that count as "purchase" or "click".
    """
    live = generations.current(client, run.namespace)
    bandits = [
        each for each in definitions if each.allocation == "bandit" and each.runs_at(run.as_of)
    ]
    outcomes = {}
    if bandits:
        files = (file for group in inputs.events.groups for file in group.files)
        exposures = with_exposures(files)
        outcomes = read_outcomes(bandits, exposures, log.events, run.as_of, roles, run.folder)
    published = live.experiments if live else ()
    history = History(run.root, run.namespace)
    return tonight_of(history, definitions, published, outcomes, run.as_of)


@step
def record_phases(
    run: Run, tonight: Tonight, definitions: Sequence[Definition], models: Sequence[str]
) -> Recorded:
    """Write definitions, phases and allocations; `models` are published, the default first."""
    record(History(run.root, run.namespace), tonight, definitions, run, models)
    return Recorded(len(tonight.phases), len(tonight.planned))
