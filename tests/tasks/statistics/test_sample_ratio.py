"""SRM against tea-tasting's own test, and alarms in simulated traffic."""

import numpy as np
import pytest
import tea_tasting as tt
from tea_tasting.aggr import Aggregates

from tasks.statistics.sample_ratio import sample_ratios


def test_two_variants_are_tea_tastings_test() -> None:
    users = {"a": 5_200, "b": 4_700}
    (found,) = sample_ratios({"all": users}, {"all": {"a": 0.5, "b": 0.5}})
    judge = tt.SampleRatio(1, method="norm", correction=False)
    counts = {name: Aggregates(n) for name, n in users.items()}
    assert found.p == pytest.approx(judge.analyze(counts, "a", "b").pvalue)
    assert found.failed


def test_few_users_are_not_tested_and_parts_share_the_alarm() -> None:
    parts = {"mon": {"a": 40, "b": 59}, "tue": {"a": 60, "b": 100}, "wed": {"a": 80, "b": 80}}
    shares = {name: {"a": 1.0, "b": 1.0} for name in parts}
    mon, tue, wed = sample_ratios(parts, shares)
    assert mon.p is None and not mon.failed
    assert tue.p == pytest.approx(2 * 0.001565402258, rel=1e-6)  # chi-square 10, twice
    assert wed.p == 1.0


def test_users_without_a_share_and_a_single_variant() -> None:
    (found,) = sample_ratios({"x": {"a": 150, "ghost": 1}}, {"x": {"a": 1.0, "b": 0.0}})
    assert found.p == 0.0
    (alone,) = sample_ratios({"x": {"a": 150}}, {"x": {"a": 1.0}})
    assert alone.p == 1.0


def test_false_alarms_are_rare_and_a_lost_tenth_is_found() -> None:
    rng = np.random.default_rng(1)
    shares = {"all": {"a": 0.5, "b": 0.3, "c": 0.2}}
    fair = rng.multinomial(20_000, [0.5, 0.3, 0.2], size=1_000)
    alarms = [_failed(row, shares) for row in fair]
    assert sum(alarms) <= 6  # 1 expected
    lost = np.array([0.5, 0.3, 0.18]) / 0.98
    broken = rng.multinomial(80_000, lost, size=200)
    assert all(_failed(row, shares) for row in broken)


def _failed(row: np.ndarray, shares: dict[str, dict[str, float]]) -> bool:
    users = dict(zip("abc", map(int, row), strict=True))
    return sample_ratios({"all": users}, shares)[0].failed
