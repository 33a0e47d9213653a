"""The phase that follows an experiment's last one, and the end of phases."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from nightshelf.contract.experiment import STOPPED, Experiment, Variant
from tasks.experiments.definition import Definition
from tasks.experiments.history_rows import Phase
from tasks.experiments.phases import allocate, traffic_ranges


def latest(
    own: Sequence[Phase], live: Sequence[Experiment], name: str, as_of: datetime
) -> Phase | None:
    """Return an experiment's last phase; the live one where the history has lost it."""
    last = own[-1] if own else None
    for each in live:
        if each.id == name and (last is None or each.phase > last.number):
            last = Phase.of(each, as_of)
    return last


def stays_stopped(
    each: Definition, last: Phase, live: Sequence[Experiment], *, bandit: bool
) -> bool:
    """Tell whether readers have the last phase as stopped, and the definition asks for no other.

    A bandit's shares open no phase by themselves then.
    """
    if (last.experiment, last.number, STOPPED) not in {(e.id, e.phase, e.status) for e in live}:
        return False
    weights = last.shares if bandit else each.weights
    return _same(last, _following(each, last, weights, last.began))


def phase_of(
    each: Definition, last: Phase | None, weights: Mapping[str, float], as_of: datetime
) -> Phase:
    """Return the last phase where it is open and nothing has changed, else the next."""
    following = _following(each, last, weights, as_of)
    return last if last and last.ended is None and _same(last, following) else following


def named(each: Definition, weights: Sequence[float]) -> dict[str, float]:
    """Return weights by the variants' names."""
    return dict(zip((variant.name for variant in each.variants), weights, strict=True))


def closed(
    phases: Sequence[Phase],
    running: Collection[Phase],
    definitions: Sequence[Definition],
    as_of: datetime,
) -> tuple[Phase, ...]:
    """Return all phases with the running ones; any other ends now, or at its experiment's end."""
    ends = {each.id: min(each.end or as_of, as_of) for each in definitions}
    past = [
        replace(each, ended=max(each.began, ends.get(each.experiment, as_of)))
        if each.ended is None and each not in running
        else each
        for each in phases
    ]
    return (*past, *(each for each in running if each not in phases))


def _following(
    each: Definition, last: Phase | None, weights: Mapping[str, float], as_of: datetime
) -> Phase:
    """Return the phase after the last, with the fewest buckets moved."""
    ranges = allocate(weights, last.ranges if last else {})
    variants = tuple(Variant(v.name, v.model, ranges.get(v.name, ())) for v in each.variants)
    number = last.number + 1 if last else 1
    return Phase(each.id, number, as_of, None, traffic_ranges(each.traffic), variants)


def _same(one: Phase, other: Phase) -> bool:
    return (one.traffic, one.variants) == (other.traffic, other.variants)
