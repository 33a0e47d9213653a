"""The simulated experiments find what is planted, and the test that fails does fail."""

import numpy as np

from benchmarks import _simulated
from benchmarks.experiments import Line
from tasks.statistics.power import Goal, users_for_proportion


def test_a_large_effect_is_always_found_and_none_seldom() -> None:
    n = users_for_proportion(0.05, Goal(0.5))
    rng = np.random.default_rng(1)
    assert all(_simulated.looks(rng, 5, 20 * n, 0.5))
    assert sum(_simulated.one_look(rng, 60, n, 0.0)) < 10
    assert all(_simulated.one_look(rng, 10, 20 * n, 0.5))


def test_users_depend_on_their_taste_and_their_past() -> None:
    rng = np.random.default_rng(2)
    assert sum(_simulated.by_impressions(rng, 60)) > 4
    drawn = _simulated.users(rng, 5_000)
    assert drawn.covariance("m1", "pre_m1") > 0
    assert drawn.covariance("m0", "pre_m0") > 0


def test_the_end_is_by_the_limits() -> None:
    assert Line("x", 10, 5.0, 0, 5.5).met
    assert not Line("x", 10, 5.6, 0, 5.5).met
