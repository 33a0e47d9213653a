"""Planning: users a variant and days for a lift to be found, from a rate or from one's own log."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tasks.errors import InputError
from tasks.experiments.definition import Metric
from tasks.readout.log import Asked
from tasks.readout.measures import Counted
from tasks.readout.settings import ReadoutSettings
from tasks.readout.sums import sum_up
from tasks.statistics.metrics import Measure
from tasks.statistics.moments import Moments, total
from tasks.statistics.power import Goal, days_for, users_for_mean, users_for_proportion


@dataclass(frozen=True)
class Plan:
    """Size of an experiment: users a variant, in all, and days until they have come.

    `days` is `None` without `daily_users`. `variance` is that of one user, `log_users` how many
    users of the log it is from; both are `None` for a rate that was given.
    """

    metric: str
    baseline: float
    lift: float
    power: float
    alpha: float
    n_variants: int
    users_per_variant: int
    daily_users: float | None
    days: int | None
    variance: float | None = None
    log_users: int | None = None

    @property
    def users(self) -> int:
        """Users of all variants."""
        return self.users_per_variant * self.n_variants

    @property
    def expected(self) -> float:
        """The metric under the lift."""
        return self.baseline * (1 + self.lift)


def plan_rate(baseline: float, goal: Goal, daily_users: float | None = None) -> Plan:
    """Plan for a share of users; `ValueError` for a rate or goal that no number of users fits."""
    return _plan("conversion", baseline, goal, users_for_proportion(baseline, goal), daily_users)


def plan_from_log(
    events: Path,
    metric: Metric,
    goal: Goal,
    until: datetime,
    days: int,
    roles: dict[str, tuple[str, ...]],
    settings: ReadoutSettings,
    folder: Path,
    daily_users: float | None = None,
) -> Plan:
    """Plan by the users who were shown a list in the log's last days, each impression an exposure.

    Raises `InputError` for a log without impressions, or without what the metric counts.
    """
    counted = Counted((metric,), roles)
    since = until - timedelta(days=days)
    asked = Asked(None, since, until, counted)
    users = total(row.moments for row in sum_up(events, asked, settings, folder).rows)
    (measure,) = counted.measures
    if users.n < 2:
        raise InputError(
            f"events: {events} has impressions of {users.n} users from {since:%Y-%m-%d} to "
            f"{until:%Y-%m-%d}: track what is shown (event_type impression), or give --baseline"
        )
    if not (baseline := measure.mean(users)):
        raise InputError(
            f"events: {events} has no event that {metric.name} counts within "
            f"{asked.attribution_window_h:g} h after an impression, of {users.n:,} users"
        )
    variance, n = measure.variance(users), _users_for(measure, users, goal)
    daily = daily_users or users.n / days
    return _plan(metric.name, baseline, goal, n, daily, variance, users.n)


def _users_for(measure: Measure, users: Moments, goal: Goal) -> int:
    baseline = measure.mean(users)
    if measure.kind == "proportion":
        return users_for_proportion(baseline, goal)
    return users_for_mean(baseline, measure.variance(users), goal)


def _plan(
    metric: str,
    baseline: float,
    goal: Goal,
    n: int,
    daily_users: float | None,
    variance: float | None = None,
    log_users: int | None = None,
) -> Plan:
    days = days_for(n, goal.n_variants, daily_users) if daily_users else None
    return Plan(
        metric, baseline, goal.lift, goal.power, goal.alpha, goal.n_variants, n, daily_users, days,
        variance, log_users,
    )  # fmt: skip
