"""Facts of the experiments: as published, and their newest readouts in the runs' folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nightshelf.contract.allocation import state_at, traffic_percent, variant_percents
from nightshelf.contract.experiment import Experiment

#: A row of an interval chart: its label, low end, estimate and high end.
Interval = tuple[str, float | None, float | None, float | None]


@dataclass(frozen=True)
class Measured:
    """A metric of a readout: values by variant, and differences from the control, with intervals.

    `verdicts` are outcomes by variant, empty for metrics that are not the primary one.
    """

    name: str
    role: str
    values: tuple[Interval, ...]
    differences: tuple[Interval, ...]
    verdicts: Mapping[str, str]


@dataclass(frozen=True)
class Readout:
    """The newest readout of an experiment, as its record's file has it."""

    until: str
    is_valid: bool
    users: Mapping[str, int]
    sentences: tuple[str, ...]
    metrics: tuple[Measured, ...]


@dataclass(frozen=True)
class ExperimentFacts:
    """A published experiment: its state now, percent of users in it, percent by variant.

    `missing` says why there is no readout.
    """

    experiment: Experiment
    state: str
    traffic_percent: float
    percents: Mapping[str, float]
    readout: Readout | None
    missing: str

    @property
    def can_stop(self) -> bool:
        """Tell whether a stop would change anything."""
        return self.state in ("running", "not started")

    @property
    def allocation(self) -> tuple[tuple[str, float], ...]:
        """Share of the experiment's users (0 to 1) by variant, the control first."""
        return tuple((name, percent / 100) for name, percent in self.percents.items())


def read_experiments(
    experiments: Sequence[Experiment], runs: Path | None, now: datetime
) -> tuple[ExperimentFacts, ...]:
    """Return the facts of published experiments, in their order."""
    return tuple(_facts(each, runs, now) for each in experiments)


def _facts(experiment: Experiment, runs: Path | None, now: datetime) -> ExperimentFacts:
    readout, missing = None, "The setting runs_dir is not set, so readouts are not known."
    if runs:
        missing = (
            "There is no readout yet: a night with an event log makes one, and so does "
            "`nightshelf experiment readout`."
        )
        name = f"{experiment.id}.json"
        path = runs / "experiments" / name
        if path.name == name and path.is_file():  # an id may hold a slash
            readout, missing = _readout(path)
    return ExperimentFacts(
        experiment,
        state_at(experiment, now),
        traffic_percent(experiment),
        variant_percents(experiment),
        readout,
        missing,
    )


def _readout(path: Path) -> tuple[Readout | None, str]:
    try:
        return _parsed(json.loads(path.read_bytes())), ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return None, f"{path.name} cannot be read: {error}"


def _parsed(raw: Mapping[str, Any]) -> Readout:
    names = dict.fromkeys(each["metric"] for each in raw["values"])
    roles = {each["metric"]: each["role"] for each in raw["figures"]}
    verdicts = {each["variant"]: each["outcome"] for each in raw["verdicts"]}
    metrics = []
    for name in names:
        role = roles.get(name, "")
        values = [each for each in raw["values"] if each["metric"] == name]
        figures = [each for each in raw["figures"] if each["metric"] == name]
        metrics.append(
            Measured(
                name,
                role,
                tuple((v["variant"], v["low"], v["value"], v["high"]) for v in values),
                tuple(map(_difference, figures)),
                verdicts if role == "primary" else {},
            )
        )
    order = {"primary": 0, "secondary": 1, "guardrail": 2}
    metrics.sort(key=lambda each: order.get(each.role, 3))
    return Readout(
        raw["until"],
        bool(raw["valid"]),
        dict(raw["users"]),
        tuple(map(str, raw["sentences"])),
        tuple(metrics),
    )


def _difference(figure: Mapping[str, Any]) -> Interval:
    best = figure["adjusted"] or figure["plain"]
    return figure["variant"], best["low"], best["difference"], best["high"]
