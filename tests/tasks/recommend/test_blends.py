"""Lists of a blend against all scores in NumPy and the plain walk; `test_topn` has small cases."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.recommend import exact_search
from tasks.recommend.settings import TopNSettings
from tests.tasks.recommend.test_topn import big_problem, ranked, sizes
from tests.tasks.small_models import Problem, walked

ROOT = Path(__file__).parents[3]
Lists = list[list[tuple[int, float]]]


def blend(k: int = 32, *, sign: float = 0.0, seed: int = 3) -> Problem:
    """Link each of 1,500 items to 60, and each of 97 users to 12 items; `sign` of weights < 0.

    User 0 has no profile, user 1 one item, user 2 a thousand; user 5 has seen all.
    """
    rng = np.random.default_rng(seed)
    problem = big_problem()
    n_users, n_items = len(problem.users), len(problem.items)

    def row(n: int) -> dict[int, float]:
        at = np.sort(rng.choice(n_items, n, replace=False))
        weights = rng.exponential(0.3, n).astype(np.float32) * np.where(rng.random(n) < sign, -1, 1)
        return dict(zip(at.tolist(), weights.tolist(), strict=True))

    return replace(
        problem,
        users=problem.users[:, :k],
        items=problem.items[:, :k],
        profiles=[row({0: 0, 1: 1, 2: 1_000}.get(user, 12)) for user in range(n_users)],
        neighbours=[row(60) for _ in range(n_items)],
    )


def by_numpy(problem: Problem, rules: TopNSettings) -> Lists:
    """Score all items of each user, sort, walk."""
    lists = []
    for user, seen in enumerate(problem.seen):
        scores = problem.scoring.scores(user)
        ranking = np.argsort(-scores, kind="stable")
        shown = [at for at in ranking.tolist() if problem.available[at] and at not in seen]
        taken = walked(shown, problem.alike, rules.n, rules.page_size, rules.max_per_category)
        lists.append([(item, float(scores[item])) for item in taken])
    return lists


RULES = TopNSettings(n=20, max_per_category=6)


@pytest.mark.parametrize("k", [0, 1, 2, 32])
@pytest.mark.parametrize("sign", [0.0, 0.5, 1.0])
def test_blended_lists_are_the_walk_over_all_scores(k: int, sign: float) -> None:
    problem = blend(k, sign=sign)
    expected = by_numpy(problem, RULES)
    assert ranked(problem, RULES) == expected
    with sizes(40, 16, fresh=8, kept=2):
        assert ranked(problem, RULES) == expected


@pytest.mark.parametrize(
    ("block_users", "max_bytes", "threads", "head", "block"),
    [(1, 2**28, 2, 1024, 256), (7, 2**28, 1, 64, 16), (512, 1, 3, 1, 1), (512, 400_000, 2, 300, 9)],
)
def test_blended_lists_depend_on_neither_blocks_nor_threads(
    monkeypatch: pytest.MonkeyPatch,
    block_users: int,
    max_bytes: int,
    threads: int,
    head: int,
    block: int,
) -> None:
    problem, rules = blend(sign=0.2), replace(RULES, max_bytes=max_bytes)
    monkeypatch.setattr(exact_search, "BLOCK_USERS", block_users)
    monkeypatch.setattr("os.cpu_count", lambda: threads)
    with sizes(head, block, fresh=16, kept=4):
        assert ranked(problem, rules) == by_numpy(problem, rules)


def test_links_alone_leave_the_rest_in_order_of_id() -> None:
    """A user who reaches two items is listed those, then the items that score 0, by id."""
    n_items = 3_000
    problem = Problem(
        users=np.empty((3, 0), np.float32),
        items=np.empty((n_items, 0), np.float32),
        categories=np.zeros(n_items, np.int32),
        available=np.ones(n_items, np.bool_),
        seen=[{0, 2}, set(), {2_900}],
        profiles=[{7: 1.0}, {}, {7: -1.0}],
        neighbours=[{2_900: 2.0, 2_950: 3.0} if at == 7 else {} for at in range(n_items)],
    )
    lists = ranked(problem, TopNSettings(n=5, max_per_category=10))
    assert lists == [
        [(2_950, 3.0), (2_900, 2.0), (1, 0.0), (3, 0.0), (4, 0.0)],
        [(at, 0.0) for at in range(5)],
        [(at, 0.0) for at in range(5)],
    ]


def test_the_order_of_links_decides_what_float64_rounds_away() -> None:
    """1 + 2^-60 * (2^60 - ...): summed by the profile's items ascending, in float64."""
    big = float(np.float32(2.0**60))
    problem = Problem(
        users=np.ones((2, 1), np.float32),
        items=np.ones((2, 1), np.float32),
        categories=np.zeros(2, np.int32),
        available=np.ones(2, np.bool_),
        seen=[set(), set()],
        profiles=[{0: 1.0, 1: 1.0}, {0: 1.0}],
        neighbours=[{0: big, 1: 3.0}, {0: -big}],
    )
    assert ranked(problem, TopNSettings(n=2)) == [
        [(1, 4.0), (0, 1.0)],
        [(0, big), (1, 4.0)],
    ]
