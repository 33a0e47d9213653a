"""Allocation of an experiment's users: its state now, its traffic, its variants' shares."""

from collections import Counter
from datetime import datetime

from nightshelf.contract.assignment import N_BUCKETS
from nightshelf.contract.experiment import RUNNING, Experiment
from nightshelf.contract.values import instant


def state_at(experiment: Experiment, now: datetime) -> str:
    """Return the status, or ``not started`` or ``ended`` for a running one outside its time."""
    if experiment.status != RUNNING or experiment.runs_at(now):
        return experiment.status
    start = instant(experiment.start)
    return "not started" if start and now < start else "ended"


def traffic_percent(experiment: Experiment) -> float:
    """Return the share of all users who are in an experiment, in percent."""
    buckets = {number for first, end in experiment.traffic for number in range(first, end)}
    return 100 * len(buckets) / N_BUCKETS


def variant_percents(experiment: Experiment) -> dict[str, float]:
    """Return the share of each variant among an experiment's users, in percent."""
    counts = Counter(experiment.variant_at(number).name for number in range(N_BUCKETS))
    return {each.name: 100 * counts[each.name] / N_BUCKETS for each in experiment.variants}
