"""Bootstrap intervals: against theory, a plain loop, and groups of few users."""

import numpy as np
import pytest

from tasks.evaluation.compare.bootstrap import NOBODY, Figure, intervals


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float64)[:, None]


def test_the_interval_is_that_of_the_central_limit() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, (4_000, 1))
    (found,) = intervals(values, np.ones_like(values), seed=1)
    error = float(values.std() / np.sqrt(len(values)))
    assert found.mean == pytest.approx(float(values.mean()))
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert found.error == pytest.approx(error, rel=0.1)
    assert found.n_users == 4_000


def test_it_is_a_plain_loop_over_resamples() -> None:
    rng = np.random.default_rng(2)
    values, weights = rng.random((7, 2)), rng.integers(0, 3, (7, 2)).astype(float)
    found = intervals(values, weights, seed=3, n_resamples=60)
    rng = np.random.default_rng(3)
    means: list[list[float]] = [[], []]
    for size in (50, 10):
        for drawn in rng.integers(7, size=(size, 7)):
            for at in range(2):
                total = sum(weights[user, at] for user in drawn)
                if total:
                    part = sum(values[user, at] * weights[user, at] for user in drawn)
                    means[at].append(part / total)
    for figure, each in zip(found, means, strict=True):
        assert [figure.low, figure.high] == pytest.approx(np.percentile(each, [2.5, 97.5]).tolist())


def test_intervals_cover_the_truth_19_times_in_20() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        values = (rng.random((300, 1)) < 0.1).astype(float)
        (found,) = intervals(values, np.ones_like(values), seed=1, n_resamples=200)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.1 <= found.high
    assert 0.88 <= held / 200 <= 0.99


def test_a_difference_is_of_paired_users() -> None:
    noise = np.random.default_rng(1).random((500, 1))
    both = np.hstack([noise, noise + 0.01, np.full_like(noise, 0.01)])
    a, b, difference = intervals(both, np.ones_like(both), seed=1)
    assert a.high is not None
    assert b.low is not None
    assert a.high > b.low
    assert (difference.low, difference.high) == pytest.approx((0.01, 0.01))


def test_users_without_weight_do_not_count_and_nobody_has_no_figure() -> None:
    values = column(1.0, 2.0, float("nan"))
    assert intervals(values, column(1, 0, 0), seed=1) == [Figure(1.0, 1.0, 1.0, 1)]
    assert intervals(values, column(0, 0, 0), seed=1) == [NOBODY]
    assert intervals(column(), column(), seed=1) == [NOBODY]


def test_equal_seeds_give_equal_intervals() -> None:
    values = np.random.default_rng(0).random((50, 1))
    one, same, other = (intervals(values, np.ones_like(values), seed) for seed in (1, 1, 2))
    assert one == same != other
