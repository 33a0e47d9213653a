"""SLIM's links against their loss, solved item by item by another method."""

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls

from tasks.models.graph.links import damped, unit_of
from tasks.models.slim.links import cosines, link
from tasks.models.slim.settings import SlimSettings

N_ITEMS = 30
ALL = SlimSettings(neighbours=N_ITEMS, candidates=N_ITEMS, similar=N_ITEMS)


def drawn(seed: int = 3) -> sp.csr_matrix:
    """Draw strengths in which users of a third of the items keep to those."""
    rng = np.random.default_rng(seed)
    likely = np.where(np.arange(200)[:, None] % 3 == np.arange(N_ITEMS) % 3, 0.5, 0.05)
    dense = rng.exponential(1.0, likely.shape) * (rng.random(likely.shape) < likely)
    return sp.csr_matrix(dense.astype(np.float32))


def weighed(strengths: sp.csr_matrix, exponent: float) -> npt.NDArray[np.float64]:
    """Return ln(1 + strength / mean), each row over its sum to half the power `exponent`."""
    dense = damped(strengths, unit_of(strengths)).toarray()
    return np.asarray(dense / np.maximum(dense.sum(axis=1), 1e-9)[:, None] ** (exponent / 2))


def ridge_of(
    item: int, candidates: list[int], rows: npt.NDArray[np.float64], share: float
) -> npt.NDArray[np.float64]:
    """Regress an item's column on those of candidates with weights of 0 at least."""
    squares = (rows**2).sum(axis=0)
    mean = squares[squares > 0].mean()
    below = np.diag(np.sqrt(share * np.sqrt(mean * squares[candidates])))
    left = np.vstack([rows[:, candidates], below])
    return np.asarray(nnls(left, np.concatenate([rows[:, item], np.zeros(len(candidates))]))[0])


@pytest.mark.parametrize("exponent", [0.0, 0.5])
@pytest.mark.parametrize("share", [0.3, 3.0])
def test_links_are_each_items_ridge_regression_on_all_others(exponent: float, share: float) -> None:
    strengths = drawn()
    settings = SlimSettings(N_ITEMS, N_ITEMS, N_ITEMS, user_exponent=exponent, regularization=share)
    found = link(strengths, unit_of(strengths), settings).toarray()
    rows = weighed(strengths, exponent)
    for item in range(N_ITEMS):
        others = [other for other in range(N_ITEMS) if other != item]
        exact = ridge_of(item, others, rows, share)
        np.testing.assert_allclose(found[others, item], exact, atol=2e-3)
    assert not found.diagonal().any()


def test_an_item_is_explained_by_the_candidates_most_like_it_alone() -> None:
    strengths = drawn()
    settings = SlimSettings(N_ITEMS, candidates=5, similar=N_ITEMS)
    found = link(strengths, unit_of(strengths), settings).toarray()
    rows = weighed(strengths, settings.user_exponent)
    units = rows / np.linalg.norm(rows, axis=0)
    alike = units.T @ units - np.eye(N_ITEMS)
    for item in range(N_ITEMS):
        nearest = np.argsort(-alike[item])[:5].tolist()
        exact = ridge_of(item, nearest, rows, settings.regularization)
        np.testing.assert_allclose(found[nearest, item], exact, atol=2e-3)
        assert set(np.flatnonzero(found[:, item])) <= set(nearest)


def test_the_largest_cosines_of_a_row_are_kept() -> None:
    rows = weighed(drawn(), 0.0)
    norms = np.linalg.norm(rows, axis=0)
    found = cosines(sp.csr_matrix(rows), norms, 10)
    exact = (rows.T @ rows) / np.outer(norms, norms) - np.eye(N_ITEMS)
    for item in range(N_ITEMS):
        mine = found[item]
        assert set(mine.indices) == set(np.argsort(-exact[item])[:10])
        np.testing.assert_allclose(mine.data, exact[item][mine.indices], atol=1e-6)


def test_of_equal_candidates_the_first_are_taken() -> None:
    """Items 4, 11 and 20 have equal columns: of one candidate each has the first of the others."""
    dense = drawn().toarray()
    dense[:, [11, 20]] = dense[:, [4]]
    settings = SlimSettings(N_ITEMS, candidates=1, similar=N_ITEMS)
    found = link(sp.csr_matrix(dense), 1.0, settings).toarray()
    assert [np.flatnonzero(found[:, item]).tolist() for item in (4, 11, 20)] == [[11], [4], [4]]


def test_the_largest_links_of_a_row_are_kept() -> None:
    strengths = drawn()
    whole = link(strengths, unit_of(strengths), ALL)
    few = link(strengths, unit_of(strengths), SlimSettings(4, N_ITEMS, N_ITEMS))
    assert np.diff(whole.indptr).max() > 4 == np.diff(few.indptr).max()
    for item in range(N_ITEMS):
        row = whole[item].toarray().ravel()
        least = np.sort(row)[-4]
        np.testing.assert_array_equal(few[item].toarray().ravel(), np.where(row >= least, row, 0))


def test_a_large_catalogue_has_fewer_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    strengths = drawn()
    few = link(strengths, unit_of(strengths), SlimSettings(N_ITEMS, candidates=5, similar=10))
    monkeypatch.setattr("tasks.models.slim.links._LEAST", 5)
    monkeypatch.setattr("tasks.models.slim.links._MOST_COSINES", 10 * N_ITEMS - 1)
    bound = link(strengths, unit_of(strengths), SlimSettings(N_ITEMS))
    nine = link(strengths, unit_of(strengths), SlimSettings(N_ITEMS, candidates=9, similar=9))
    np.testing.assert_array_equal(bound.toarray(), nine.toarray())
    monkeypatch.setattr("tasks.models.slim.links._MOST_COSINES", 1)
    least = link(strengths, unit_of(strengths), SlimSettings(N_ITEMS))
    five = link(strengths, unit_of(strengths), SlimSettings(N_ITEMS, candidates=5, similar=5))
    np.testing.assert_array_equal(least.toarray(), five.toarray())
    assert abs(few - five).max() > 0


def test_items_nobody_took_have_no_links_and_break_nothing() -> None:
    dense = drawn().toarray()
    dense[:, [2, 9]] = 0
    found = link(sp.csr_matrix(dense), 1.0, ALL)
    assert not found[[2, 9]].nnz
    assert not found[:, [2, 9]].nnz
    assert found.nnz
    assert not link(sp.csr_matrix((4, 3), dtype=np.float32), 1.0, SlimSettings()).nnz
