"""Table of experiments: a variant a row."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from nightshelf.cli.tables.terminal import add_row, new_console, new_table, show_line
from nightshelf.contract.assignment import N_BUCKETS
from nightshelf.contract.experiment import RUNNING, Experiment
from nightshelf.contract.values import instant
from nightshelf.text import minute_text


def show_experiments(experiments: Sequence[Experiment], now: datetime) -> None:
    """Print a variant a row, the control of each experiment first."""
    if not experiments:
        show_line("No experiment is published: everybody is served the default model")
        return
    names = ("experiment", "phase", "state", "traffic", "variant", "share", "model")
    table = new_table(*names, "start", "end", right=("phase", "traffic", "share"))
    for each in experiments:
        shares = variant_percents(each)
        about = [each.id, str(each.phase), status_text(each, now), f"{traffic_percent(each):g} %"]
        times = [minute_text(text) if text else "-" for text in (each.start, each.end)]
        for variant in each.variants:
            shared = [variant.name, f"{shares[variant.name]:g} %", variant.model]
            add_row(table, *about, *shared, *times)
            about, times = [""] * len(about), [""] * len(times)
    new_console().print(table)
    show_line("A share is of the users in the experiment; the first variant is the control")


def stop_text(namespace: str, experiment: Experiment) -> str:
    """Describe the stop of an experiment."""
    users = f"{traffic_percent(experiment):g} % of the users"
    name = f"{experiment.id}, phase {experiment.phase}"
    return f"{namespace}: stop {name}: {users} get the default model until its next phase"


def status_text(experiment: Experiment, now: datetime) -> str:
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
