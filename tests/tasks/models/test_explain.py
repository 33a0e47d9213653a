"""Reasons against implicit's own explanations, and by hand."""

from itertools import pairwise, product

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from tasks.artifacts.factors import Factors
from tasks.models.als._jit.explain import solve
from tasks.models.als.explain import Explainer
from tasks.models.als.train import Loss, confidence
from tasks.models.base import NOTHING
from tests.tasks.small_models import matrix


def strengths(n_users: int, n_items: int) -> sp.csr_matrix:
    """Draw a log in which every fifth strength is negative."""
    rng = np.random.default_rng(8)
    signs = rng.choice([-1.0, 1.0], (n_users, n_items), p=[0.2, 0.8])
    drawn = signs * rng.exponential(2.0, (n_users, n_items))
    drawn[rng.random((n_users, n_items)) > 0.25] = 0
    drawn[3] = -np.abs(drawn[3])  # likes nothing
    return sp.csr_matrix(drawn.astype(np.float32))


@pytest.mark.parametrize("alpha", [0.0, 2.0, 40.0])
def test_reasons_are_those_of_implicit(alpha: float) -> None:
    taken = strengths(30, 40)
    settings = Loss(alpha, 1.0, 0.1, 6)
    with threadpool_limits(1, "blas"):
        als = AlternatingLeastSquares(factors=6, iterations=10, regularization=0.1, random_state=1)
        als.fit(confidence(taken, alpha), show_progress=False)

    listed = np.tile(np.arange(40, dtype=np.int32), (30, 1))
    explain = Explainer.of(taken, als.item_factors, settings)
    found = explain(0, listed, np.full(30, 40))

    for user, item in np.ndindex(30, 40):
        _, pairs, _ = als.explain(user, confidence(taken, alpha), item, N=40)
        shares = dict(pairs)
        most = max(shares.values(), default=0.0)
        chosen = found[user, item]
        if chosen == NOTHING:
            assert most < 1e-5
        else:
            assert shares[chosen] == pytest.approx(most, rel=1e-3, abs=1e-5)
            assert taken[user, chosen] > 0
    assert (found[3] == NOTHING).all()
    assert (found != NOTHING).mean() > 0.5


def shares_of(row: sp.csr_matrix, items: Factors, settings: Loss) -> npt.NDArray[np.float64]:
    """Return what each item of one user's history adds to each item's score, as it is defined."""
    wide, c = items.astype(np.float64), confidence(row, settings.rate).toarray()[0].astype(float)
    more = np.where(c != 0, np.abs(c) - 1, 0)
    system = wide.T @ (wide * (1 + more)[:, None]) + settings.regularization * np.eye(wide.shape[1])
    shares: npt.NDArray[np.float64] = np.maximum(c, 0)[:, None] * (
        wide @ np.linalg.solve(system, wide.T)
    )
    return shares


@hypothesis_settings(max_examples=200, deadline=None)
@given(
    k=st.sampled_from([1, 2, 5, 8, 33]),
    n_history=st.sampled_from([0, 1, 2, 4, 5, 6, 8, 9, 33, 34, 70]),
    kind=st.sampled_from(["real", "alike", "grid"]),
    alpha=st.sampled_from([0.0, 1e-9, 2.0, 40.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_reasons_are_the_definition(
    k: int, n_history: int, kind: str, alpha: float, seed: int
) -> None:
    """Histories shorter and longer than k; items that float32 cannot, or nothing can, tell apart.

    Of shares that agree to nine digits the smallest id has it; between nine and seven, either.
    """
    rng = np.random.default_rng(seed)
    items = rng.standard_normal((80, k)).astype(np.float32)
    if kind == "alike":
        items = (items[:1] + rng.integers(-2, 3, (80, k)) * 2.0**-21).astype(np.float32)
    elif kind == "grid":
        items = rng.choice([-1.0, 0.0, 0.0, 1.0], (80, k)).astype(np.float32)
    row = np.zeros((1, 80), np.float32)
    taken = rng.permutation(80)[:n_history]
    row[0, taken] = rng.choice([-1.0, 1e-9, 0.5, 0.5, 3.0], n_history)
    settings = Loss(alpha, 1.0, 0.1, k)
    explain = Explainer.of(sp.csr_matrix(row), items, settings)
    found = explain(0, np.arange(80, dtype=np.int32)[None], np.array([80]))[0]
    shares = shares_of(sp.csr_matrix(row), items, settings)
    for item, chosen in enumerate(found):
        most, nothing = shares[:, item].max(), 1e-12 * np.abs(shares).max()
        if chosen == NOTHING:
            assert most <= nothing
        else:
            assert row[0, chosen] > 0
            assert shares[chosen, item] >= most * (1 - 1.1e-9) - nothing
            same = shares[:, item] >= most * (1 - 1e-11)
            near = shares[:, item] >= most * (1 - 1e-7)
            if most > nothing and (same == near).all():
                assert chosen == np.flatnonzero(same)[0]


@pytest.mark.parametrize("n_history", [6, 20])
def test_items_that_are_the_same_to_the_model_tie_whatever_their_place(n_history: int) -> None:
    """Every second item of the history is a twin of the nearest; eight factors."""
    rng = np.random.default_rng(n_history)
    items = rng.standard_normal((30, 8)).astype(np.float32)
    items[1:n_history:2] = items[29]
    row = matrix([dict.fromkeys(range(n_history), 1.5)], 30)
    explain = Explainer.of(row, items, Loss(2.0, 1.0, 0.05, 8))
    assert explain(0, np.array([[29]], np.int32), np.array([1])).tolist() == [[1]]


def test_float64_decides_what_float32_cannot() -> None:
    """The second of two items counts for more, by a part in ten million; then the first."""
    items = np.array([EAST, EAST, EAST, NORTH], np.float32)
    less, more = np.float32(2.0), np.nextafter(np.float32(2.0), np.float32(3.0))
    for history, reason in (({0: less, 1: more}, 1), ({0: more, 1: less}, 0)):
        assert explained(items, {k: float(v) for k, v in history.items()}, [2]) == [reason]


def test_a_user_is_explained_alike_alone_and_in_any_block() -> None:
    """Long and short histories by turns, so that one would see what another left behind."""
    rng = np.random.default_rng(5)
    items = rng.standard_normal((200, 16)).astype(np.float32)
    sizes = [3, 0, 60, 16, 17, 5] * 10
    taken = matrix([dict.fromkeys(sorted(rng.permutation(200)[:h]), 1.0) for h in sizes], 200)
    listed = rng.integers(0, 200, (60, 12)).astype(np.int32)
    lengths = rng.integers(0, 13, 60)
    explain = Explainer.of(taken, items, Loss(2.0, 1.0, 0.05, 16))
    whole = explain(0, listed, lengths)
    for size, start in product((1, 7), (0, 3)):
        for first in range(start, 60 - size, size):
            part = slice(first, first + size)
            assert (explain(first, listed[part], lengths[part]) == whole[part]).all()


@pytest.mark.parametrize("p", [0, 4, 8, 12, 16, 64])
@pytest.mark.parametrize("q", [1, 5, 64])
@pytest.mark.parametrize("most", [0.0, 1.0, 1e6])
def test_a_system_is_solved_whatever_its_size(p: int, q: int, most: float) -> None:
    rng = np.random.default_rng(p)
    half = rng.standard_normal((p, p + 3))
    gram, right, weights = half @ half.T, rng.standard_normal((p, q)), most * rng.random(p)
    wanted = np.linalg.solve(np.eye(p) + gram * weights, right)
    system = np.hstack([gram, right])
    solve(system, weights)
    assert system[:, p:] == pytest.approx(wanted, rel=1e-8, abs=1e-8)


def explained(items: Factors, history: dict[int, float], listed: list[int]) -> list[int]:
    settings = Loss(1.0, 1.0, 0.5, items.shape[1])
    explain = Explainer.of(matrix([history], len(items)), items, settings)
    found = explain(0, np.array([listed], np.int32), np.array([len(listed)]))
    return found[0].tolist()  # type: ignore[no-any-return]


EAST, NORTH, WEST = (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)


def test_an_item_that_shares_nothing_with_the_history_is_taste() -> None:
    items = np.array([EAST, EAST, NORTH, WEST], np.float32)
    assert explained(items, {0: 1.0}, [1, 2, 3]) == [0, NOTHING, NOTHING]


def test_a_dislike_is_never_a_reason() -> None:
    """That WEST is far from a disliked EAST speaks for it, and is not why it is in the list."""
    items = np.array([EAST, WEST, NORTH], np.float32)
    assert explained(items, {0: -3.0}, [1]) == [NOTHING]
    assert explained(items, {0: -3.0, 2: 1.0}, [1, 2]) == [NOTHING, 2]


def test_of_equals_the_smallest_id_is_the_reason() -> None:
    items = np.array([NORTH, EAST, EAST, EAST], np.float32)
    assert explained(items, {1: 2.0, 2: 2.0}, [3]) == [1]
    assert explained(items, {1: 2.0, 2: 3.0}, [3]) == [2]


def test_places_past_a_lists_end_and_users_of_other_blocks_stay_out() -> None:
    items = np.array([EAST, NORTH, EAST, NORTH], np.float32)
    taken = matrix([{0: 1.0}, {1: 1.0}, {0: 1.0, 1: 1.0}], 4)
    explain = Explainer.of(taken, items, Loss(2.0, 1.0, 0.05, 2))
    listed = np.array([[3, -1], [2, 3], [-1, -1]], np.int32)
    lengths = np.array([1, 2, 0])
    assert explain(0, listed, lengths).tolist() == [
        [NOTHING, NOTHING],
        [NOTHING, 1],
        [NOTHING, NOTHING],
    ]
    assert explain(1, listed[:2], lengths[:2]).tolist() == [[1, NOTHING], [0, 1]]


def test_confidence_keeps_the_sign_and_adds_one() -> None:
    taken = matrix([{0: 0.5, 2: -3.0}], 3)
    signed = confidence(taken, 2.0)
    assert signed.toarray().tolist() == [[2.0, 0.0, -7.0]]
    assert signed.dtype == np.float32
    assert taken.toarray().tolist() == [[0.5, 0.0, -3.0]]  # as it was
    rising = [confidence(matrix([{0: r}], 1), 2.0).data[0] for r in (-2.0, -1e-9, 1e-9, 2.0)]
    assert all(a < b for a, b in pairwise(rising))
