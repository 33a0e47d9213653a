"""Posteriors against draws, exact fractions and scipy."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from scipy.stats import beta

from tasks.statistics.best import posteriors


@pytest.mark.parametrize(
    ("successes", "trials"),
    [([50, 60, 55], [1_000, 1_000, 900]), ([0, 2], [5, 40_000]), ([500, 505], [10_000, 10_000])],
)
def test_figures_are_those_of_draws(successes: list[int], trials: list[int]) -> None:
    rng = np.random.default_rng(7)
    n = 400_000
    drawn = np.stack(
        [rng.beta(1 + s, 1 + t - s, n) for s, t in zip(successes, trials, strict=True)]
    )
    best = np.bincount(drawn.argmax(axis=0), minlength=len(trials)) / n
    lost = (drawn.max(axis=0) - drawn).mean(axis=1)
    for found, p, loss in zip(posteriors(successes, trials), best, lost, strict=True):
        assert found.p_best == pytest.approx(p, abs=4e-3)
        assert found.loss == pytest.approx(loss, rel=0.03, abs=1e-6)


def test_two_small_posteriors_are_exact() -> None:
    # P(B > A) of Beta(a, b) priors with whole parameters is a finite sum (Evan Miller, 2010).
    (a1, b1), (a2, b2) = (3, 8), (5, 7)
    exact = sum(
        Fraction(_beta(a1 + i, b1 + b2), (b2 + i) * _beta(1 + i, b2) * _beta(a1, b1))
        for i in range(a2)
    )
    one, other = posteriors([a1 - 1, a2 - 1], [a1 + b1 - 2, a2 + b2 - 2])
    assert other.p_best == pytest.approx(float(exact), abs=1e-12)
    assert one.p_best + other.p_best == pytest.approx(1)


def _beta(a: int, b: int) -> Fraction:
    return Fraction(1, a * comb(a + b - 1, a))


def test_mean_and_interval_are_the_posteriors() -> None:
    (found,) = posteriors([5], [100])
    assert found.mean == pytest.approx(6 / 102)
    assert (found.low, found.high) == pytest.approx(tuple(beta(6, 96).interval(0.95)))
    assert (found.p_best, found.loss) == pytest.approx((1, 0), abs=1e-12)


def test_equal_variants_are_best_equally_often_and_the_worse_costs_the_difference() -> None:
    assert [each.p_best for each in posteriors([7] * 4, [90] * 4)] == pytest.approx([0.25] * 4)
    worse, better = posteriors([10_000, 20_000], [100_000, 100_000])
    assert worse.p_best < 1e-12
    assert worse.loss == pytest.approx(0.1, rel=1e-3)
    assert better.loss == pytest.approx(0, abs=1e-12)


def test_a_rounded_rate_of_all_is_all() -> None:
    assert posteriors([10 + 1e-12, 0.0], [10, 0.0]) == posteriors([10, 0], [10, 0])


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match=r"successes \[5\] of trials \[4\]"):
        posteriors([5], [4])
