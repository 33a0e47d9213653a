"""The confidence sequence against its theorem, written another way, and simulated looks."""

import numpy as np
import pytest

from tasks.statistics.confidence_sequence import half_width


def test_the_width_is_the_theorems() -> None:
    sigma, t, planned, alpha = 2.5, 700, 1_000, 0.05
    rho = np.sqrt((-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / planned)
    inner = np.log((t * rho**2 + 1) / alpha**2)
    expected = sigma * np.sqrt((t * rho**2 + 1) / (t**2 * rho**2) * inner)
    assert half_width(sigma / np.sqrt(t), t, planned) == pytest.approx(expected)
    assert half_width(1.0, 0, planned) == np.inf


def test_an_interval_seldom_misses_at_any_look() -> None:
    rng = np.random.default_rng(4)
    looks, a_look, runs = 50, 200, 4_000
    n = np.arange(1, looks + 1) * a_look
    sums = (rng.normal(size=(runs, looks)) * np.sqrt(a_look)).cumsum(axis=1)
    se = 1 / np.sqrt(n)
    width = [half_width(s, int(k), 5_000) for s, k in zip(se, n, strict=True)]
    missed = (np.abs(sums / n) > width).any(axis=1).mean()
    assert missed < 0.05
    assert (np.abs(sums / n) > 1.96 * se).any(axis=1).mean() > 0.25


def test_it_is_tightest_at_about_the_planned_size() -> None:
    planned = 10_000
    ratio = {n: half_width(1.0, n, planned) for n in (100, planned, 1_000_000)}
    assert ratio[planned] < ratio[100]
    assert ratio[planned] < ratio[1_000_000]
