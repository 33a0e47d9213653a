"""Table of experiments: a variant a row."""

from collections.abc import Sequence
from datetime import datetime

from nightshelf.cli.tables.terminal import add_row, new_console, new_table, show_line
from nightshelf.contract.allocation import state_at, traffic_percent, variant_percents
from nightshelf.contract.experiment import Experiment
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
        about = [each.id, str(each.phase), state_at(each, now), f"{traffic_percent(each):g} %"]
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
