"""A night's experiments: their phases, the models they need, and the records that are published.

All follows from the definitions, the history, the experiments that are live and the log up to
`as_of`: the same night again opens the same phases.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from nightshelf.contract.experiment import RUNNING, STOPPED, Experiment
from tasks.experiments.bandit import Outcomes, Shares, bandit_shares
from tasks.experiments.definition import Definition
from tasks.experiments.history import History
from tasks.experiments.history_rows import Phase, Row
from tasks.experiments.next_phase import closed, latest, named, phase_of, stays_stopped
from tasks.runs.run_folder import Run


@dataclass(frozen=True)
class Planned:
    """An experiment tonight: its phase, and the grounds of a bandit's shares where it is one.

    One that is `stopped` is published as such: nobody takes part.
    """

    definition: Definition
    phase: Phase
    outcomes: Outcomes | None = None
    shares: Shares | None = None
    stopped: bool = False


@dataclass(frozen=True)
class Tonight:
    """The experiments to publish, in order of precedence, and all phases up to tonight."""

    planned: tuple[Planned, ...] = ()
    phases: tuple[Phase, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Models that the running experiments need, each once."""
        running = (each for each in self.planned if not each.stopped)
        return tuple(dict.fromkeys(v.model for each in running for v in each.definition.variants))

    def published(self, models: Sequence[str]) -> tuple[Experiment, ...]:
        """Return the records of the manifest; the default stands for a model not among `models`.

        The first of `models` is the default.
        """
        return tuple(_record(each, models) for each in self.planned)

    def replaced(self, models: Sequence[str]) -> tuple[str, ...]:
        """Return a sentence for each variant that is served the default for its own model."""
        return tuple(
            f"experiment {each.definition.id}: variant {variant.name} is served {models[0]}, the "
            f"default, since its model {variant.model} is not published tonight"
            for each in self.planned
            if not each.stopped
            for variant in each.phase.variants
            if variant.model not in models
        )


def tonight_of(
    history: History,
    definitions: Sequence[Definition],
    live: Sequence[Experiment],
    outcomes: Mapping[str, Outcomes],
    as_of: datetime,
) -> Tonight:
    """Return tonight's experiments: a changed weight, traffic or variant opens the next phase.

    `live` are the experiments that readers have: one that was stopped there stays so until its
    definition asks for another phase. `outcomes` are those of bandits. Nothing is written.
    """
    phases = history.phases()
    nights = _nights_before(history.allocations(), as_of)
    status = {row["experiment"]: row["status"] for row in history.definitions()}
    planned = []
    for each in definitions:
        last = latest([own for own in phases if own.experiment == each.id], live, each.id, as_of)
        if last and last not in phases:
            phases.append(last)
        if each.status == "stopped" and last:
            planned.append(Planned(each, last, stopped=True))
        elif each.runs_at(as_of):
            found = outcomes.get(each.id)
            shares = bandit_shares(found, nights.get(each.id, 0)) if found else None
            restarted = status.get(each.id) == "stopped"
            if last and not restarted and stays_stopped(each, last, live, bandit=bool(found)):
                planned.append(Planned(each, last, stopped=True))
            else:
                weights = named(each, shares.shares.tolist()) if shares else each.weights
                phase = phase_of(each, last, weights, as_of)
                planned.append(Planned(each, phase, found, shares))
    running = [each.phase for each in planned if not each.stopped]
    return Tonight(tuple(planned), closed(phases, running, definitions, as_of))


def record(
    history: History,
    tonight: Tonight,
    definitions: Sequence[Definition],
    run: Run,
    models: Sequence[str],
) -> None:
    """Write definitions, phases and allocations; `models` are published, the default first.

    It comes before the flip: a phase that readers may have is never opened again.
    """
    history.write_definitions(definitions, run.as_of)
    history.write_phases(tonight.phases)
    history.write_allocations([row for each in tonight.planned for row in _rows(each, run, models)])


def _nights_before(allocations: Sequence[Row], as_of: datetime) -> dict[str, int]:
    """Count the nights before tonight that each experiment was published in."""
    found: dict[str, set[datetime]] = {}
    for row in allocations:
        if row["as_of"] < as_of:
            found.setdefault(row["experiment"], set()).add(row["as_of"])
    return {name: len(dates) for name, dates in found.items()}


def _record(each: Planned, models: Sequence[str]) -> Experiment:
    own, phase = each.definition, each.phase
    variants = tuple(
        variant if variant.model in models else replace(variant, model=models[0])
        for variant in phase.variants
    )
    return Experiment(
        id=own.id,
        phase=phase.number,
        traffic=phase.traffic,
        variants=variants,
        start=own.start.isoformat(),
        end=own.end.isoformat() if own.end else "",
        status=STOPPED if each.stopped else RUNNING,
    )


def _rows(each: Planned, run: Run, models: Collection[str]) -> list[Row]:
    """Return a row of the allocations for each variant."""
    if each.stopped:
        return []
    rows: list[Row] = []
    served = [variant.model for variant in _record(each, list(models)).variants]
    for at, (variant, model) in enumerate(zip(each.phase.variants, served, strict=True)):
        found, shares = each.outcomes, each.shares
        rows.append(
            {
                "experiment": each.definition.id,
                "generation": run.generation,
                "as_of": run.as_of,
                "phase": each.phase.number,
                "variant": variant.name,
                "share": each.phase.shares[variant.name],
                "model": variant.model,
                "served": model,
                "users": int(found.users[:, at].sum()) if found else None,
                "converted": int(found.converted[:, at].sum()) if found else None,
                "best": float(shares.best[at]) if shares else None,
                "why": shares.why if shares else "fixed",
            }
        )
    return rows
