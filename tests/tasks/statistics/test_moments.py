"""Moments against NumPy on the users themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.statistics.moments import Moments, total
from tests.tasks.statistics.users import moments_of

VALUES = st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 9)), min_size=2, max_size=30)


@given(VALUES, st.integers(0, 29))
def test_parts_add_up_to_the_whole(rows: list[tuple[int, int]], cut: int) -> None:
    x, y = np.array(rows).T
    parts = [moments_of(x=x[:cut], y=y[:cut]), moments_of(x=x[cut:], y=y[cut:])]
    found = total(parts)
    assert found == moments_of(x=x, y=y)
    assert found.mean("x") == pytest.approx(x.mean())
    assert found.variance("y") == pytest.approx(y.var(ddof=1))
    assert found.covariance("y", "x") == pytest.approx(np.cov(x, y)[0, 1])


def test_whole_numbers_keep_their_variance_beside_a_large_mean() -> None:
    x = 10**12 + np.arange(5)
    assert moments_of(x=x).variance("x") == 2.5
    assert moments_of(x=x).scaled({"x": 10}).mean("x") == pytest.approx(1e11)


def test_nobody_has_no_figures() -> None:
    assert total([]) == Moments()
    assert Moments().mean("x") == 0
    assert moments_of(x=np.array([3])).variance("x") == 0
