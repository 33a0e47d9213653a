"""A bandit's shares: exact probabilities, floors, guards; differences by period."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln

from tasks.experiments.bandit import (
    CONTROL_SHARE,
    EVEN_NIGHTS,
    FEWEST_USERS,
    FLOOR,
    Outcomes,
    bandit_shares,
    by_period,
    by_period_rates,
    pooled,
    probability_best,
)
from tasks.experiments.phases import Ranges, allocate

outcomes = st.integers(2, 6).flatmap(
    lambda n: st.lists(
        st.lists(
            st.integers(0, 20_000).flatmap(lambda u: st.tuples(st.just(u), st.integers(0, u))),
            min_size=n,
            max_size=n,
        ),
        min_size=1,
        max_size=4,
    )
)


def counted(periods: list[list[tuple[int, int]]]) -> Outcomes:
    cells = np.array(periods, np.int64)
    return Outcomes(cells[..., 0], cells[..., 1])


def closed_form(a: int, b: int, c: int, d: int) -> float:
    """Return P(Beta(c, d) > Beta(a, b)) by the sum for whole numbers (Evan Miller, 2015)."""
    at = np.arange(c)
    terms = betaln(a + at, b + d) - np.log(d + at) - betaln(1 + at, d) - betaln(a, b)
    return float(np.exp(terms).sum())


@pytest.mark.parametrize(
    ("users", "converted"),
    [((500, 480), (25, 31)), ((20_000, 900), (1_000, 50)), ((40, 40), (0, 2)), ((0, 10), (0, 9))],
)
def test_two_variants_agree_with_the_closed_form(
    users: tuple[int, int], converted: tuple[int, int]
) -> None:
    (n, m), (x, y) = users, converted
    rates = np.array([x / max(n, 1), y / max(m, 1)])
    best = probability_best(rates, np.array(users, float))
    expected = closed_form(1 + x, 1 + n - x, 1 + y, 1 + m - y)
    assert best.tolist() == pytest.approx([1 - expected, expected], abs=1e-9)


def test_several_variants_agree_with_draws() -> None:
    rates, users = np.array([0.05, 0.055, 0.06, 0.03]), np.array([5e3, 4e3, 3e3, 200.0])
    draws = np.random.default_rng(7).beta(1 + rates * users, 1 + (1 - rates) * users, (400_000, 4))
    wins = np.bincount(draws.argmax(axis=1), minlength=4) / len(draws)
    assert probability_best(rates, users) == pytest.approx(wins, abs=4e-3)


@given(outcomes, st.integers(0, 4))
def test_floors_are_kept_and_shares_are_whole_percents(
    periods: list[list[tuple[int, int]]], n_nights: int
) -> None:
    found = counted(periods)
    n = found.users.shape[1]
    shares, best, why = bandit_shares(found, n_nights)
    assert shares.sum() == pytest.approx(1)
    assert best.sum() == pytest.approx(1)
    few = found.users.sum() < FEWEST_USERS * n
    if n_nights < EVEN_NIGHTS or few:
        assert shares.tolist() == [1 / n] * n
        assert why.startswith("even split")
        return
    floors = np.full(n, FLOOR)
    floors[0] += CONTROL_SHARE
    assert (shares >= floors - 1e-12).all()
    assert (100 * shares).round(9).tolist() == (100 * shares).round().tolist()
    free = 1 - floors.sum()
    assert np.abs(shares - floors - free * best).max() <= 0.01 + 1e-12


def test_a_tenth_of_the_users_see_the_control_in_every_phase() -> None:
    random, before = np.random.default_rng(3), dict[str, Ranges]()
    for _ in range(40):
        best = random.dirichlet([0.3, 0.3, 0.3])
        floors = np.array([FLOOR + CONTROL_SHARE, FLOOR, FLOOR])
        weights = floors + (1 - floors.sum()) * best
        before = allocate(dict(zip(("control", "a", "b"), weights.tolist(), strict=True)), before)
        first, stop = before["control"][0]
        assert (first, stop >= 1_000) == (0, True)


def planted(base: list[float], lift: float, shares: list[float], n: int = 1_000_000) -> Outcomes:
    """Return outcomes without noise: the rate of each period, and the variant's lift over it."""
    users = [[round(n * (1 - share)), round(n * share)] for share in shares]
    rates = [[rate, rate + lift] for rate in base]
    cells = np.array(users)
    return Outcomes(cells, np.rint(cells * np.array(rates)).astype(np.int64))


def test_the_difference_by_period_is_true_where_the_pooled_one_is_not() -> None:
    found = planted([0.06, 0.05, 0.04], 0.00375, [0.5, 0.6, 0.7])
    assert by_period(found, 1).difference == pytest.approx(0.00375, abs=1e-9)
    # 62,000 of 1.2 million against 94,750 of 1.8 million.
    assert pooled(found, 1) == pytest.approx(0.000972, abs=1e-6)
    rates, users = by_period_rates(found)
    assert rates[1] - rates[0] == pytest.approx(0.00375, abs=1e-9)
    assert (users <= found.users.sum(axis=0)).all()


def test_one_period_is_what_it_is() -> None:
    found = counted([[(400, 20), (500, 35)]])
    rates, users = by_period_rates(found)
    assert rates.tolist() == [0.05, 0.07]
    assert users.tolist() == pytest.approx([400, 500])
    difference, error = by_period(found, 1)
    assert difference == pooled(found, 1) == pytest.approx(0.02)
    assert error == pytest.approx((0.05 * 0.95 / 400 + 0.07 * 0.93 / 500) ** 0.5)


def test_more_conversions_never_lower_a_share() -> None:
    shares = [
        bandit_shares(counted([[(2_000, 100), (2_000, 80 + more)]]), 5).shares[1]
        for more in range(0, 60, 5)
    ]
    assert all(one <= other for one, other in pairwise(shares))
    assert (shares[0], shares[-1]) == (pytest.approx(0.10, abs=0.02), pytest.approx(0.85, abs=0.02))
