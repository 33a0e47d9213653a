"""Planned sizes against the textbook, statsmodels, tea-tasting and simulated experiments."""

import numpy as np
import pytest
import tea_tasting as tt
from scipy.stats import norm
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import power_proportions_2indep, proportion_effectsize
from tea_tasting.aggr import Aggregates

from tasks.statistics.power import Goal, days_for, users_for_mean, users_for_proportion


def test_five_percent_and_a_tenth() -> None:
    assert users_for_proportion(0.05, Goal(0.10)) == 31_234
    arcsine = proportion_effectsize(0.055, 0.05)
    users = NormalIndPower().solve_power(arcsine, alpha=0.05, power=0.8, ratio=1)
    assert int(users) == 31_217
    assert users_for_proportion(0.05, Goal(0.10)) == pytest.approx(users, rel=0.001)


@pytest.mark.parametrize(("baseline", "lift"), [(0.02, 0.05), (0.3, -0.1), (0.6, 0.2)])
@pytest.mark.parametrize(("power", "alpha"), [(0.8, 0.05), (0.95, 0.01)])
def test_planned_users_have_the_power(
    baseline: float, lift: float, power: float, alpha: float
) -> None:
    users = users_for_proportion(baseline, Goal(lift, power, alpha))
    reached = power_proportions_2indep(baseline * lift, baseline, users, alpha=alpha)
    assert reached.power == pytest.approx(power, abs=0.002)


def test_planned_users_find_the_lift_in_simulated_experiments() -> None:
    users = users_for_proportion(0.05, Goal(0.10))
    rng = np.random.default_rng(5)
    a, b = (rng.binomial(users, p, 20_000) / users for p in (0.05, 0.055))
    z = (b - a) / np.sqrt((a * (1 - a) + b * (1 - b)) / users)
    assert (np.abs(z) > norm.isf(0.025)).mean() == pytest.approx(0.8, abs=0.012)


def test_a_mean_is_tea_tastings() -> None:
    users = users_for_mean(12.0, 900.0, Goal(0.05))
    sample = Aggregates(1_000, {"x": 12.0}, {"x": 900.0})
    judge = tt.Mean("x", rel_effect_size=0.05, power=0.8, alpha=0.05, use_t=False)
    (found,) = judge.solve_power_from_aggregates(sample, "n_obs")
    assert 2 * users == pytest.approx(found.n_obs, abs=2)


def test_more_variants_need_more_users_each() -> None:
    three = users_for_proportion(0.05, Goal(0.10, n_variants=3))
    assert three == users_for_proportion(0.05, Goal(0.10, alpha=0.025))
    assert days_for(31_234, 2, 10_000) == 7


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        ({"lift": 0.0}, "the lift is 0"),
        ({"lift": 0.1, "power": 1.0}, "power 1: both must lie between 0 and 1"),
        ({"lift": 0.1, "power": 0.01}, "power above alpha"),
        ({"lift": 0.1, "n_variants": 1}, "1 variant: a comparison needs two"),
    ],
)
def test_a_goal_without_an_answer_is_refused(goal: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Goal(**goal)  # type: ignore[arg-type]


def test_a_rate_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"give a rate of 1\.2"):
        users_for_proportion(0.6, Goal(1.0))
    with pytest.raises(ValueError, match="nothing to lift"):
        users_for_mean(0.0, 1.0, Goal(0.1))
