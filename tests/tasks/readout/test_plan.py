"""Plans from a log against the figures of its users."""

from pathlib import Path

import numpy as np
import pytest

from tasks.errors import InputError
from tasks.experiments.definition import Metric
from tasks.readout.plan import Plan, plan_from_log, plan_rate
from tasks.readout.settings import ReadoutSettings
from tasks.statistics.power import Goal, users_for_mean, users_for_proportion
from tests.tasks.readout.logs import START, Row, event, write_log
from tests.tasks.readout.test_sums import ROLES, UNTIL

GOAL = Goal(0.1)


def planned(folder: Path, rows: list[Row], metric: str, daily_users: float | None = None) -> Plan:
    log = write_log(folder / "log.parquet", rows)
    named = Metric.named(metric)
    return plan_from_log(log, named, GOAL, UNTIL, 10, ROLES, ReadoutSettings(), folder, daily_users)


def some_rows() -> tuple[list[Row], dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    shown, clicks = rng.integers(1, 9, 200), rng.integers(0, 3, 200)
    paid = np.where(rng.random(200) < 0.3, rng.integers(1, 90, 200), 0)
    rows: list[Row] = []
    for at in range(200):
        user, hour = f"u{at}", float(at)
        rows += [event(user, "impression", hour, f"i{n}") for n in range(shown[at])]
        clicks[at] = min(clicks[at], shown[at])
        rows += [event(user, "click", hour + 1, f"i{n}") for n in range(clicks[at])]
        if paid[at]:
            rows.append(event(user, "purchase", hour + 2, value=float(paid[at])))
    return rows, {"shown": shown, "clicks": clicks, "paid": paid}


def test_baseline_and_variance_are_the_logs(tmp_path: Path) -> None:
    rows, users = some_rows()
    rate = float((users["paid"] > 0).mean())
    found = planned(tmp_path, rows, "conversion")
    assert found.baseline == pytest.approx(rate)
    assert found.users_per_variant == users_for_proportion(rate, GOAL)
    assert (found.log_users, found.daily_users) == (200, 20)
    revenue = planned(tmp_path, rows, "revenue", daily_users=1_000)
    variance = users["paid"].var(ddof=1)
    assert revenue.variance == pytest.approx(variance, rel=1e-6)
    assert revenue.users_per_variant == users_for_mean(users["paid"].mean(), variance, GOAL)
    assert revenue.days == int(np.ceil(revenue.users / 1_000))
    ratio = users["clicks"].sum() / users["shown"].sum()
    apart = (users["clicks"] - ratio * users["shown"]) / users["shown"].mean()
    ctr = planned(tmp_path, rows, "ctr")
    assert ctr.baseline == pytest.approx(ratio)
    assert ctr.variance == pytest.approx(apart.var(ddof=1))


def test_a_log_without_impressions_or_outcomes_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has impressions of 0 users from 2026-03-02"):
        planned(tmp_path, [event("u1", "purchase", 1)], "conversion")
    shown: list[Row] = [event(f"u{n}", "impression", n, "i") for n in range(5)]
    with pytest.raises(InputError, match="no event that like counts within 24 h"):
        planned(tmp_path, shown, "like")


def test_a_rate_that_is_given() -> None:
    plan = plan_rate(0.05, GOAL, daily_users=5_000)
    assert (plan.users_per_variant, plan.users, plan.days) == (31_234, 62_468, 13)
    assert plan.expected == pytest.approx(0.055)
    assert plan_rate(0.05, GOAL).days is None
    assert START < UNTIL
