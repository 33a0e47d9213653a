"""The tests of the assignment's benchmark find a hash wanting that is, and ours not."""

import numpy as np

from benchmarks import assignment


def test_dependent_experiments_are_found() -> None:
    users = [f"u{number}" for number in range(20_000)]
    one, other = (assignment.buckets(f"exp-{number}:variant", users) for number in (1, 2))
    assert assignment.independence(one, other)[2] > 1e-4
    one, other = (assignment.fnv_buckets(salt)[:20_000] for salt in ("exp-1", "exp-2"))
    statistic, degrees, p_value = assignment.independence(one, other, 1_000)
    assert (degrees, p_value) == (81, 0)
    assert statistic > 5_000


def test_uneven_buckets_are_found() -> None:
    users = [f"u{number}" for number in range(20_000)]
    drawn = assignment.buckets("exp-1:variant", users)
    even = np.bincount(drawn // 1_000, minlength=10)
    assert assignment.fit(even, np.ones(10))[2] > 1e-4
    even[0] += 400
    assert assignment.fit(even, np.ones(10))[2] < 1e-4
