"""Maximal Marginal Relevance against its definition in plain Python."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tasks.artifacts.factors import Factors
from tasks.recommend import exact_search as rank_module
from tasks.recommend.exact_search import rank
from tasks.recommend.rerank.mmr import POOL_LISTS, diversify
from tasks.recommend.settings import TopNSettings
from tests.tasks.small_models import Problem, defined, dot, draw_links, unpacked

Lists = list[list[tuple[int, float]]]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Draw a problem in which many scores tie, many items are equal, and some are nothing."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_users, n_items, k = draw(st.integers(1, 4)), draw(st.integers(1, 40)), draw(st.integers(1, 4))
    grid = draw(st.sampled_from([(-1.0, 0.0, 1.0), (0.0, 1.0), (-2.0, -1.0), (0.3, 0.7, 1.1)]))
    items = rng.choice(grid, (n_items, k)).astype(np.float32)
    seen_share = draw(st.sampled_from([0.0, 0.3, 1.0]))
    return Problem(
        users=rng.choice([-1.0, 0.0, 0.5, 1.0], (n_users, k)).astype(np.float32),
        items=items,
        categories=rng.integers(0, 3, n_items).astype(np.int32),
        available=rng.random(n_items) < 0.9,
        seen=[set(np.flatnonzero(rng.random(n_items) < seen_share)) for _ in range(n_users)],
        **draw_links(rng, draw(st.sampled_from(["none", "ties"])), n_users, n_items),
    )


def cosine(one: Factors, other: Factors) -> float:
    """Return the cosine of two rows, in float64; a row of zeros is like nothing."""
    norms = [sqrt(dot(row, row)) or 1.0 for row in (one, other)]
    total = 0.0
    for a, b in zip(one, other, strict=True):
        total += float(a) / norms[0] * (float(b) / norms[1])
    return total


def value_of(
    item: int, score: float, best: float, above: list[int], problem: Problem, mmr_lambda: float
) -> float:
    relevance = score / best if best > 0 else 0.0
    alike = [cosine(problem.items[item], problem.items[other]) for other in above]
    return mmr_lambda * relevance - (1 - mmr_lambda) * max(alike, default=0.0)


def relevant_and_new(problem: Problem, n: int, mmr_lambda: float) -> Lists:
    """Choose by definition: the largest value, then the higher score, then the smaller id."""
    lists = []
    for pool in defined(problem, POOL_LISTS * n, POOL_LISTS * n, POOL_LISTS * n):
        chosen: list[tuple[int, float]] = []
        while len(chosen) < min(n, len(pool)):
            above = [item for item, _ in chosen]
            ranked = [
                (-value_of(item, score, pool[0][1], above, problem, mmr_lambda), -score, item)
                for item, score in pool
                if item not in above
            ]
            _, minus_score, item = min(ranked)
            chosen.append((item, -minus_score))
        lists.append(chosen)
    return lists


def diverse(problem: Problem, settings: TopNSettings) -> Lists:
    catalogue, seen = problem.catalogue, problem.seen_matrix
    n = POOL_LISTS * settings.n
    free = replace(settings, n=n, max_per_category=settings.page_size)
    pools = rank(problem.scoring, catalogue, seen, free)
    return unpacked(diversify(pools, problem.items, settings.n, settings.mmr_lambda))


@hypothesis_settings(max_examples=300, deadline=None)
@given(
    problem=problems(),
    n=st.sampled_from([1, 2, 5, 12]),
    mmr_lambda=st.sampled_from([0.0, 0.25, 0.7, 1.0]),
)
def test_a_list_is_the_definition(problem: Problem, n: int, mmr_lambda: float) -> None:
    settings = TopNSettings(n=n, mmr_lambda=mmr_lambda)
    assert diverse(problem, settings) == relevant_and_new(problem, n, mmr_lambda)


@given(problem=problems(), n=st.sampled_from([1, 4, 30]))
def test_lambda_1_is_the_walk_without_the_category_rule(problem: Problem, n: int) -> None:
    assert diverse(problem, TopNSettings(n=n, mmr_lambda=1.0)) == defined(problem, n, n, n)


def everybody(n_users: int = 150) -> Problem:
    rng = np.random.default_rng(6)
    return Problem(
        users=(rng.standard_normal((n_users, 8)) + 0.5).astype(np.float32),
        items=(rng.standard_normal((300, 8)) + 0.4).astype(np.float32),
        categories=rng.integers(0, 4, 300).astype(np.int32),
        available=rng.random(300) < 0.9,
        seen=[set(rng.integers(0, 300, 20).tolist()) for _ in range(n_users)],
    )


@pytest.mark.parametrize(("block_users", "threads"), [(1, 3), (7, 1), (512, 2)])
def test_the_answer_depends_on_neither_blocks_nor_threads(
    monkeypatch: pytest.MonkeyPatch, block_users: int, threads: int
) -> None:
    expected = diverse(everybody(), TopNSettings(n=10))
    monkeypatch.setattr(rank_module, "BLOCK_USERS", block_users)
    monkeypatch.setattr("os.cpu_count", lambda: threads)
    assert diverse(everybody(), TopNSettings(n=10)) == expected


def test_copies_of_the_best_item_make_way() -> None:
    """Three copies of the best, and three others: lambda 0.5 takes one copy, then the others."""
    items = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0.9, 0], [0, 0, 0.8]], np.float32)
    problem = Problem(
        users=np.ones((1, 3), np.float32),
        items=items,
        categories=np.zeros(5, np.int32),
        available=np.ones(5, np.bool_),
        seen=[set()],
    )
    found = diverse(problem, TopNSettings(n=4, mmr_lambda=0.5))
    assert [item for item, _ in found[0]] == [0, 3, 4, 1]


def test_no_user_at_all() -> None:
    nobody = replace(everybody(), users=np.empty((0, 8), np.float32), seen=[])
    assert diverse(nobody, TopNSettings(n=3)) == []
