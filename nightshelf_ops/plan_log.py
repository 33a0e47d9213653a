"""`nightshelf experiment plan --from-log`: baseline and variance from one's own log."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tasks.experiments.definition import Metric
from tasks.readout.plan import Plan, plan_from_log
from tasks.runs.run_folder import midnight
from tasks.settings import load_settings
from tasks.statistics.power import Goal


def planned(
    events: Path,
    metric: str,
    goal: Goal,
    span: tuple[int, datetime | None],
    daily_users: float | None,
    namespace: str,
    config: Path | None,
) -> Plan:
    """Plan by the last days of a log: `span` is their number, and their end or last midnight.

    Raises `NightshelfError`, and `ValueError` for a goal that no number of users reaches.
    """
    settings = load_settings(namespace, config)
    days, as_of = span
    until = as_of.replace(tzinfo=as_of.tzinfo or UTC) if as_of else midnight()
    named = Metric.named(metric)
    with TemporaryDirectory(prefix="nightshelf-plan-") as folder:
        return plan_from_log(
            events, named, goal, until, days, settings.roles, settings.readout, Path(folder),
            daily_users,
        )  # fmt: skip
