"""One against 99: random scores hit one time in ten, and candidates are as asked for."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import scipy.sparse as sp

from tasks.artifacts.scoring import Scoring
from tasks.evaluation.compare.one_against import candidates_of, hits_among, scores_of
from tasks.evaluation.judged_lists import Audience
from tasks.evaluation.ranking_metrics import hit_rate
from tests.tasks.small_models import matrix

USERS, ITEMS = 2_000, 400


def audience(users: int, items: int) -> tuple[Audience, sp.csr_matrix]:
    """Return users with an item to find and six taken ones each."""
    rng = np.random.default_rng(0)
    drawn = [rng.choice(items, 7, replace=False).tolist() for _ in range(users)]
    relevant = matrix([{row[0]: 1.0} for row in drawn], items)
    taken = matrix([dict.fromkeys(sorted(row[1:]), 1.0) for row in drawn], items)
    ids = pa.array([f"u{user:05}" for user in range(users)])
    return cast(Audience, SimpleNamespace(user_ids=ids, relevant=relevant)), taken


@pytest.fixture(scope="module")
def drawn() -> tuple[Audience, sp.csr_matrix, npt.NDArray[np.int32]]:
    people, taken = audience(USERS, ITEMS)
    return people, taken, candidates_of(people, taken, seed=1)


Drawn = tuple[Audience, sp.csr_matrix, npt.NDArray[np.int32]]


def test_candidates_are_the_item_and_99_others_that_the_user_has_not_taken(drawn: Drawn) -> None:
    people, taken, candidates = drawn
    assert candidates.shape == (USERS, 100)
    for row in range(USERS):
        own, others = candidates[row, 0], set(candidates[row, 1:].tolist())
        assert own == people.relevant[row].indices[0]
        assert len(others) == 99
        assert not others & {own, *taken[row].indices.tolist()}


def test_every_item_is_drawn_as_often(drawn: Drawn) -> None:
    counts = np.bincount(drawn[2][:, 1:].ravel(), minlength=ITEMS)
    expected = USERS * 99 / ITEMS
    assert abs(counts - expected).max() < 6 * np.sqrt(expected)


def test_candidates_follow_from_seed_and_user_alone(drawn: Drawn) -> None:
    people, taken, candidates = drawn
    some = np.array([3, 99, 1_500])
    few = SimpleNamespace(
        user_ids=people.user_ids.take(pa.array(some)), relevant=people.relevant[some]
    )
    again = candidates_of(cast(Audience, few), taken[some], seed=1)
    assert again.tolist() == candidates[some].tolist()
    assert candidates_of(people, taken, seed=2).tolist() != candidates.tolist()


def test_random_scores_hit_one_time_in_ten(drawn: Drawn) -> None:
    rng = np.random.default_rng(3)
    scoring = Scoring(
        rng.normal(size=(USERS, 8)).astype(np.float32),
        rng.normal(size=(ITEMS, 8)).astype(np.float32),
    )
    found = hit_rate(hits_among(scores_of(scoring, drawn[2]), drawn[2]), 10)
    assert found.mean() == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / USERS))
    blank = Scoring(scoring.users * 0, scoring.items)  # all ties, which the items' order decides
    tied = hit_rate(hits_among(scores_of(blank, drawn[2]), drawn[2]), 10)
    assert tied.mean() == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / USERS))


def test_scores_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(4)
    dense = {"users": rng.random((30, 4)), "items": rng.random((50, 4))}
    sparse = {
        "profiles": sp.random(30, 50, 0.2, "csr", rng=rng, dtype=np.float32),
        "neighbours": sp.random(50, 50, 0.2, "csr", rng=rng, dtype=np.float32),
    }
    factors: dict[str, Any] = {name: each.astype(np.float32) for name, each in dense.items()}
    scoring = Scoring(**factors, **sparse)
    candidates = rng.integers(-1, 50, (30, 9)).astype(np.int32)
    found = scores_of(scoring, candidates)
    for user in range(30):
        whole = np.append(scoring.scores(user), -np.inf)  # -1, no candidate, is the last
        assert found[user].tolist() == pytest.approx(whole[candidates[user]].tolist())


def test_places_count_what_is_above_ties_by_item() -> None:
    candidates = np.array([[5, 1, 9, 7], [5, 1, 9, 7], [-1, 1, 9, 7], [5, 1, 9, -1]], np.int32)
    scores = np.array(
        [[2, 2, 2, 1], [0, 1, 2, 3], [-np.inf, 0, 0, 0], [1, 0, 0, -np.inf]], np.float64
    )
    places = hits_among(scores, candidates).argmax(axis=1)
    assert places.tolist() == [1, 3, 3, 0]


def test_a_small_catalogue_gives_fewer_candidates() -> None:
    people, taken = audience(5, 20)
    found = candidates_of(people, taken, seed=1)
    assert (found >= 0).sum(axis=1).tolist() == [1 + 13] * 5
