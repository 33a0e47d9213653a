"""EASE against its loss, solved item by item."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from tasks.errors import ModelError
from tasks.models.ease.links import link
from tasks.models.ease.settings import EaseSettings

N_ITEMS = 30


def drawn() -> sp.csr_matrix:
    rng = np.random.default_rng(3)
    dense = rng.exponential(1.0, (80, N_ITEMS)) * (rng.random((80, N_ITEMS)) < 0.3)
    return sp.csr_matrix(dense.astype(np.float32))


def test_links_are_each_items_ridge_regression_on_all_others() -> None:
    rows, found = drawn(), link(drawn(), EaseSettings(regularization=5.0)).toarray()
    dense = rows.toarray().astype(float)
    for item in range(N_ITEMS):
        others = np.delete(np.arange(N_ITEMS), item)
        x = dense[:, others]
        exact = np.linalg.solve(x.T @ x + 5 * np.eye(N_ITEMS - 1), x.T @ dense[:, item])
        np.testing.assert_allclose(found[others, item], np.maximum(exact, 0), atol=1e-5)
    assert not found.diagonal().any()


def test_the_largest_links_of_a_row_are_kept() -> None:
    whole = link(drawn(), EaseSettings(regularization=5.0))
    few = link(drawn(), EaseSettings(regularization=5.0, neighbours=4))
    assert np.diff(whole.indptr).max() > 4 >= np.diff(few.indptr).max()
    for item in range(N_ITEMS):
        row = whole[item].toarray().ravel()
        least = np.sort(row)[-4]
        np.testing.assert_array_equal(few[item].toarray().ravel(), np.where(row >= least, row, 0))


def test_too_many_items_and_matrices_without_an_inverse_are_refused() -> None:
    with pytest.raises(ModelError, match=r"30 items .*EASE__MAX_ITEMS \(29\)"):
        link(drawn(), EaseSettings(max_items=29))
    broken = replace(EaseSettings(), regularization=float("nan"))
    with pytest.raises(ModelError, match="EASE__REGULARIZATION"):
        link(drawn(), broken)
