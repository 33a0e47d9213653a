"""Read out an experiment of a namespace: its definition and phases, its log, the judgement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tasks.errors import InputError
from tasks.experiments.definition import Definition
from tasks.experiments.history import History
from tasks.readout.judge import judge
from tasks.readout.log import Asked
from tasks.readout.measures import Counted
from tasks.readout.records import Readout
from tasks.readout.settings import ReadoutSettings
from tasks.readout.sums import sum_up


@dataclass(frozen=True)
class Source:
    """Places of the data of a namespace's experiments, and the meaning of its event types.

    `events` is the collected log, `users` a Parquet file with segments. `roles` gives the types
    that count as "purchase" or "click"; of types with a negative weight fewer are better.
    """

    namespace: str
    events: Path
    users: Path | None
    run_root: Path
    roles: Mapping[str, tuple[str, ...]]
    weights: Mapping[str, float]

    @property
    def history(self) -> History:
        """Phases that the nights have published."""
        return History(self.run_root, self.namespace)


def read_out(
    definition: Definition, source: Source, settings: ReadoutSettings, until: datetime
) -> Readout:
    """Read an experiment out as of an instant; its end plus the attribution window is the last.

    Raises `InputError` for a log that cannot be read, and before the experiment's first night.
    """
    phases = [each for each in source.history.phases() if each.experiment == definition.id]
    if not phases:
        raise InputError(
            f"experiment {definition.id} has no phase in {source.history.folder}: the first night "
            "after its definition opens one"
        )
    if definition.end:
        window = timedelta(hours=definition.attribution_window_h)
        until = min(until, definition.end + window)
    harmful = frozenset(kind for kind, weight in source.weights.items() if weight < 0)
    counted = Counted(definition.metrics, source.roles, harmful)
    window_h = definition.attribution_window_h
    asked = Asked(definition.id, definition.start, until, counted, window_h)
    scratch = source.history.folder
    sums = sum_up(source.events, asked, settings, scratch, source.users)
    shares = {each.number: each.shares for each in phases}
    return judge(definition, counted, sums, shares, (definition.start, until), settings)


def named(definitions: Sequence[Definition], experiment: str, namespace: str) -> Definition:
    """Return the definition of an id; `InputError` where the file has none such."""
    for each in definitions:
        if each.id == experiment:
            return each
    known = ", ".join(each.id for each in definitions) or "none"
    raise InputError(f"no experiment {experiment!r} of {namespace} in experiments.toml: {known}")


def readable(definitions: Sequence[Definition], source: Source, at: datetime) -> list[Definition]:
    """Return the experiments that a night reads out: published, not a draft, begun, not long over.

    One that has ended or was stopped is read out until the windows of its last exposures are over.
    """
    last = {each.experiment: each.ended for each in source.history.phases()}
    return [
        each
        for each in definitions
        if each.id in last
        and each.status != "draft"
        and each.start < at <= (last[each.id] or at) + _lasting(each)
    ]


def _lasting(definition: Definition) -> timedelta:
    return timedelta(hours=definition.attribution_window_h, days=1)
