"""Folding in: in bulk, against implicit one by one and the normal equations."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from tasks.artifacts.factors import Factors
from tasks.errors import ModelError
from tasks.models.als.fold_in import fold_in
from tasks.models.als.train import Loss, confidence

N_ITEMS, K = 30, 6


def made_up(seed: int, n_users: int) -> tuple[sp.csr_matrix, Factors]:
    """Return strengths, some of them negative, and items' factors."""
    rng = np.random.default_rng(seed)
    strengths = sp.random(n_users, N_ITEMS, 0.2, "csr", np.float32, rng)
    strengths.data = rng.normal(1, 2, strengths.nnz).astype(np.float32)
    return strengths, rng.normal(size=(N_ITEMS, K)).astype(np.float32)


def solved(row: sp.csr_matrix, items: Factors, training: Loss) -> np.ndarray:
    """Solve one user's regularised least squares: preference p, confidence c, over all items."""
    r = row.toarray()[0].astype(np.float64)
    p, c, wide = (r > 0).astype(float), 1 + training.rate * np.abs(r), items.astype(np.float64)
    left = wide.T @ (c[:, None] * wide) + training.regularization * np.eye(K)
    return np.asarray(np.linalg.solve(left, wide.T @ (c * p)))


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([0.0, 2.0, 40.0]))
def test_each_user_gets_what_implicit_recalculates(seed: int, n_users: int, alpha: float) -> None:
    strengths, items = made_up(seed, n_users)
    training = Loss(alpha, 1.0, 0.3, K)
    folded = fold_in(strengths, items, training)
    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(factors=K, regularization=0.3)
    als.item_factors = items.copy()
    signed = confidence(strengths, alpha)
    for user in range(n_users):
        assert folded[user].tobytes() == als.recalculate_user(user, signed[user]).tobytes()
        exact = solved(strengths[user], items, training)
        assert folded[user] == pytest.approx(exact, rel=1e-3, abs=1e-3)


def test_a_user_of_no_history_is_nowhere() -> None:
    _, items = made_up(1, 1)
    folded = fold_in(sp.csr_matrix((2, N_ITEMS), dtype=np.float32), items, Loss(2.0, 1.0, 0.05, K))
    assert folded.tolist() == [[0.0] * K] * 2


def test_factors_that_are_not_finite_are_refused() -> None:
    strengths, items = made_up(2, 3)
    items[4, 0] = np.nan
    with pytest.raises(ModelError, match="regularization"):
        fold_in(strengths, items, Loss(2.0, 1.0, 0.05, K))
