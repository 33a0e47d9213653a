"""Reasons against implicit's own explanations, and by hand."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from tasks.reasons import NOTHING, Explainer
from tasks.train import Factors, TrainSettings, confidence
from tests.tasks.models import matrix


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
    settings = TrainSettings(factors=6, iterations=10, alpha=alpha, regularization=0.1)
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


def explained(items: Factors, history: dict[int, float], listed: list[int]) -> list[int]:
    settings = TrainSettings(factors=items.shape[1], alpha=1.0, regularization=0.5)
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
    explain = Explainer.of(taken, items, TrainSettings(factors=2))
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
