"""Bounds against published values and simulated paths."""

import numpy as np
import pytest

from tasks.statistics.spending import bounds, spent

EQUAL = [k / 5 for k in range(1, 6)]


def test_bounds_are_the_published_ones() -> None:
    # Lan-DeMets with O'Brien-Fleming-like spending, five equal looks, two-sided 0.05 (ldbounds,
    # and Proschan, Lan and Wittes, 2006): 4.8769 3.3569 2.6803 2.2898 2.0310.
    assert bounds(EQUAL) == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-3)
    assert bounds([1.0]) == pytest.approx([1.959964], abs=1e-5)


@pytest.mark.parametrize("looks", [14, 60])
@pytest.mark.parametrize("alpha", [0.05, 0.025])
def test_paths_without_an_effect_cross_as_often_as_alpha(looks: int, alpha: float) -> None:
    rng = np.random.default_rng(looks)
    steps = rng.gamma(1.0, size=looks)
    fractions = np.cumsum(steps / steps.sum())
    n = 60_000
    paths = rng.normal(size=(n, looks)) * np.sqrt(np.diff(fractions, prepend=0))
    z = paths.cumsum(axis=1) / np.sqrt(fractions)
    crossed = (np.abs(z) >= bounds([*fractions], alpha)).any(axis=1).mean()
    assert crossed == pytest.approx(alpha, abs=4 * np.sqrt(alpha / n))


def test_a_first_look_spends_what_the_function_says() -> None:
    assert spent(0.0, 0.05) == 0.0
    assert spent(2.0, 0.05) == pytest.approx(0.05)
    early = bounds([0.5])[0]
    rng = np.random.default_rng(2)
    share = (np.abs(rng.normal(size=2_000_000)) > early).mean()
    assert share == pytest.approx(spent(0.5, 0.05), rel=0.05)


def test_looks_that_add_nothing_are_not_looks() -> None:
    assert bounds([0.001, 0.5, 0.503, 1.0, 1.2]) == pytest.approx(
        [np.inf, *bounds([0.5]), np.inf, bounds([0.5, 1.0])[1], np.inf]
    )


def test_an_experiment_that_is_over_spends_what_is_left() -> None:
    early, last = bounds([0.4, 0.8], is_over=True)
    assert early == bounds([0.4])[0]
    assert last < bounds([0.4, 0.8])[1]
    rng = np.random.default_rng(6)
    paths = (rng.normal(size=(400_000, 2)) * np.sqrt(0.4)).cumsum(axis=1) / np.sqrt([0.4, 0.8])
    crossed = (np.abs(paths) >= [early, last]).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=0.0015)
    assert bounds([0.0, 0.3], is_over=True) == pytest.approx([np.inf, 1.959964], abs=1e-5)
