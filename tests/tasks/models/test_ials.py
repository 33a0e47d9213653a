"""iALS against a dense solve, and its loss written out pair by pair."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tasks.artifacts.factors import Factors
from tasks.errors import ModelError
from tasks.models.base import NOTHING
from tasks.models.ials.explain import contributions, explainer
from tasks.models.ials.model import Ials
from tasks.models.ials.settings import IalsSettings
from tasks.models.ials.solve import solve_side
from tasks.models.ials.train import (
    first_factors,
    fit,
    fold_in,
    mean_strength,
    ridge,
    signed_weights,
)
from tasks.runs.run_folder import no_progress
from tests.tasks.models.contract import checkerboard

Doubles = npt.NDArray[np.float64]
SETTINGS = IalsSettings(factors=6, iterations=6, regularization=0.01, unobserved_weight=0.3)
N_USERS, N_ITEMS, K = 25, 40, 6


def drawn(seed: int, density: float = 0.2, n_users: int = N_USERS) -> sp.csr_matrix:
    """Draw strengths, a fifth of them negative; the last user has none."""
    rng = np.random.default_rng(seed)
    dense = rng.exponential(2.0, (n_users, N_ITEMS)) * rng.choice([-1, 1], p=[0.2, 0.8])
    dense[rng.random(dense.shape) > density] = 0
    dense[-1] = 0
    return sp.csr_matrix(dense.astype(np.float32))


def weights_of(strengths: sp.csr_matrix, settings: IalsSettings) -> sp.csr_matrix:
    return signed_weights(strengths, mean_strength(strengths), settings.alpha)


def factors(seed: int, n: int) -> Factors:
    return np.random.default_rng(seed).normal(0, 0.5, (n, K)).astype(np.float32)


def loss(
    weights: sp.csr_matrix, users: Factors | Doubles, items: Factors, settings: IalsSettings
) -> float:
    """Return the loss, pair by pair over the dense matrix."""
    w, a0 = weights.toarray().astype(float), settings.unobserved_weight
    scores = users.astype(float) @ items.T.astype(float)
    total = (np.abs(w) * (scores - (w > 0)) ** 2).sum() + a0 * (scores**2).sum()
    for side, rows in ((users, w), (items, w.T)):
        for x, row in zip(side.astype(float), rows, strict=True):
            base = np.abs(row).sum() + a0 * len(row)
            total += settings.regularization * base**settings.frequency_exponent * (x**2).sum()
    return float(total)


@hypothesis_settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    density=st.sampled_from([0.03, 0.2, 0.9]),
    exponents=st.sampled_from([(0.0, 0.0), (1.0, 1.0), (0.5, 20.0)]),
    unobserved=st.sampled_from([1e-3, 0.1, 10.0]),
)
def test_a_row_is_the_dense_solution(
    seed: int, density: float, exponents: tuple[float, float], unobserved: float
) -> None:
    settings = replace(
        SETTINGS,
        frequency_exponent=exponents[0],
        alpha=exponents[1],
        unobserved_weight=unobserved,
    )
    weights, items = weights_of(drawn(seed, density), settings), factors(seed, N_ITEMS)
    found = fold_in(weights, items, settings)
    wide = items.astype(float)
    for user, row in enumerate(weights.toarray().astype(float)):
        base = np.abs(row).sum() + unobserved * N_ITEMS
        left = wide.T @ ((np.abs(row) + unobserved)[:, None] * wide)
        left += settings.regularization * base ** exponents[0] * np.eye(K)
        exact = np.linalg.solve(left, wide.T @ np.maximum(row, 0))
        np.testing.assert_allclose(found[user], exact, rtol=1e-3, atol=1e-4 * np.abs(exact).max())
    assert not found[-1].any()


def test_the_loss_never_rises() -> None:
    weights = weights_of(drawn(3), SETTINGS)
    sides = first_factors(weights, K, np.random.default_rng(1))
    losses = []
    for _ in range(12):
        sides = fit(weights, SETTINGS, 1, sides, no_progress)
        losses.append(loss(weights, *sides, SETTINGS))
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(losses))
    assert losses[-1] < 0.95 * losses[0]


@pytest.mark.parametrize("max_steps", [1, 2, 4])
def test_every_step_of_a_half_iteration_lowers_the_loss(max_steps: int) -> None:
    """From anywhere, ended early or not: conjugate gradients go down."""
    weights, users, items = weights_of(drawn(4), SETTINGS), factors(1, N_USERS), factors(2, N_ITEMS)
    losses = [loss(weights, users, items, SETTINGS)]
    for _ in range(5):
        users = solve_side(users, items, weights, ridge(weights, SETTINGS), 0.3, max_steps)
        losses.append(loss(weights, users, items, SETTINGS))
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(losses))


def test_the_gradient_is_zero_where_a_side_is_solved() -> None:
    """By central differences of the loss, in directions at random."""
    weights, items = weights_of(drawn(5), SETTINGS), factors(3, N_ITEMS)
    users = fold_in(weights, items, SETTINGS).astype(np.float64)
    rng = np.random.default_rng(6)
    for _ in range(20):
        along = rng.normal(size=users.shape) * 1e-3
        up, here, down = (
            loss(weights, users + part * along, items, SETTINGS) for part in (1, 0, -1)
        )
        assert here < min(up, down)
        assert abs(up - down) < 0.02 * (up + down - 2 * here)


def test_rows_do_not_depend_on_others_or_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, items = weights_of(drawn(7, n_users=300), SETTINGS), factors(4, N_ITEMS)
    whole = fold_in(weights, items, SETTINGS)
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    assert fold_in(weights, items, SETTINGS).tobytes() == whole.tobytes()
    part = np.array([5, 17, 299])
    np.testing.assert_allclose(
        fold_in(weights[part], items, SETTINGS), whole[part], rtol=1e-5, atol=1e-6
    )


def test_frequent_rows_are_regularized_more() -> None:
    weights = sp.csr_matrix(np.array([[1, 0, -1, 0], [0, 0, 0, 0]], np.float32))
    for exponent in (0.0, 0.5, 1.0):
        found = ridge(weights, replace(SETTINGS, frequency_exponent=exponent))
        assert found == pytest.approx([0.01 * 3.2**exponent, 0.01 * 1.2**exponent])


def test_strengths_weigh_by_their_ratio_to_the_mean() -> None:
    strengths = sp.csr_matrix(np.array([[1.0, -4.0, 0, 7.0]], np.float32))
    assert mean_strength(strengths) == 4
    assert signed_weights(strengths, 4, 3.0).data == pytest.approx([1.75 / 4, -1, 6.25 / 4])
    assert signed_weights(strengths, 4, 0.0).data.tolist() == [1, -1, 1]
    assert strengths.data.tolist() == [1, -4, 7]
    assert mean_strength(sp.csr_matrix((2, 3), dtype=np.float32)) == 1


def test_a_log_in_another_unit_gives_the_same_model() -> None:
    data = checkerboard()
    other = replace(data, strengths=data.strengths * np.float32(4))
    first, second = Ials.fit(data, SETTINGS), Ials.fit(other, SETTINGS)
    assert first.items.tobytes() == second.items.tobytes()
    assert second.facts["mean_strength"] == pytest.approx(4 * first.facts["mean_strength"])


def test_reasons_are_the_largest_contributions_of_long_and_short_histories() -> None:
    """Each user has an own lambda; histories are shorter and longer than k."""
    weights, items = weights_of(drawn(9, 0.3), SETTINGS), factors(5, N_ITEMS)
    sizes = np.diff(weights.indptr)
    assert sizes.min() < K < sizes.max()
    explain = explainer(weights, items, SETTINGS)
    listed = np.tile(np.arange(N_ITEMS, dtype=np.int32), (N_USERS, 1))
    found = explain(0, listed, np.full(N_USERS, N_ITEMS))
    for user, item in np.ndindex(N_USERS, N_ITEMS):
        parts = contributions(weights[user], item, items, SETTINGS)
        if found[user, item] == NOTHING:
            assert parts.max(initial=0) < 1e-9
        else:
            mine = weights[user].indices.tolist().index(found[user, item])
            assert parts[mine] == pytest.approx(parts.max(), rel=1e-8)
    assert (found != NOTHING).mean() > 0.5
    block = explain(10, listed[10:], np.full(N_USERS - 10, N_ITEMS))
    assert (block == found[10:]).all()


def test_factors_that_are_not_finite_are_refused() -> None:
    with np.errstate(all="ignore"), pytest.raises(ModelError, match="IALS__REGULARIZATION"):
        fold_in(drawn(1), factors(1, N_ITEMS), replace(SETTINGS, regularization=float("nan")))
