"""The cap on an item's share of the lists against its definition in plain Python."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tasks.recommend import exact_search as rank_module
from tasks.recommend.exact_search import Block, rank
from tasks.recommend.rerank.exposure_cap import Rows, apply_cap, count_lists, most_lists
from tasks.recommend.rerank.pipeline import whole
from tasks.recommend.settings import TopNSettings
from tests.tasks.small_models import Problem, defined, draw_links, unpacked

Lists = list[list[tuple[int, float]]]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Draw a problem of few items for many users, with ties of scores."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_users, n_items = draw(st.integers(1, 25)), draw(st.integers(1, 20))
    seen_share = draw(st.sampled_from([0.0, 0.3, 0.8, 1.0]))
    return Problem(
        users=rng.choice([0.0, 0.5, 1.0], (n_users, 2)).astype(np.float32),
        items=rng.choice([-1.0, 0.0, 0.5, 1.0], (n_items, 2)).astype(np.float32),
        categories=rng.integers(0, 3, n_items).astype(np.int32),
        available=rng.random(n_items) < 0.9,
        seen=[set(np.flatnonzero(rng.random(n_items) < seen_share)) for _ in range(n_users)],
        **draw_links(rng, draw(st.sampled_from(["none", "ties"])), n_users, n_items),
    )


def held(problem: Problem, settings: TopNSettings) -> tuple[Lists, sp.csr_matrix]:
    """Hold down as the night does; returns lists and what users must not be shown."""
    catalogue, seen = problem.catalogue, problem.seen_matrix

    def recompute(rows: Rows, hidden: sp.csr_matrix) -> Block:
        blocks = rank(problem.scoring.of(rows), catalogue, hidden, settings)
        return whole(blocks)

    most = most_lists(settings.max_item_share, count_lists(seen, catalogue.available))
    lists, hidden = apply_cap(recompute(np.arange(len(problem.users)), seen), most, seen, recompute)
    return unpacked([lists]), hidden


def held_by_definition(problem: Problem, settings: TopNSettings) -> Lists:
    """Hold down in rounds, each of which lists everybody anew."""
    rules = (settings.n, settings.page_size, settings.max_per_category)
    lists = defined(problem, *rules)
    most = max(1, int(sum(map(bool, lists)) * round(1000 * settings.max_item_share) // 1000))
    seen = [set(mine) for mine in problem.seen]
    while True:
        fans: dict[int, list[tuple[float, int]]] = {}
        for user, mine in enumerate(lists):
            for item, score in mine:
                fans.setdefault(item, []).append((-score, user))
        losses = [(user, item) for item in fans for _, user in sorted(fans[item])[most:]]
        if not losses:
            return lists
        for user, item in losses:
            seen[user].add(item)
        lists = defined(replace(problem, seen=seen), *rules)


@hypothesis_settings(max_examples=200, deadline=None)
@given(
    problem=problems(),
    n=st.sampled_from([1, 3, 20]),
    share=st.sampled_from([0.001, 0.1, 0.29, 0.5, 1.0]),
    cap=st.sampled_from([1, 3]),
)
def test_rounds_are_the_definition(problem: Problem, n: int, share: float, cap: int) -> None:
    settings = TopNSettings(n=n, page_size=4, max_per_category=cap, max_item_share=share)
    lists, hidden = held(problem, settings)
    assert lists == held_by_definition(problem, settings)
    n_lists = sum(map(bool, defined(problem, 1, 1, 1)))
    shown = Counter(item for mine in lists for item, _ in mine)
    assert max(shown.values(), default=0) <= max(1, round(1000 * share) * n_lists // 1000)
    for user, mine in enumerate(lists):
        gone = set(hidden[user].indices.tolist())
        assert problem.seen[user] <= gone
        assert not gone & {item for item, _ in mine}
        left = set(np.flatnonzero(problem.available).tolist()) - gone
        if not mine:
            assert not left


def test_an_item_that_everybody_likes_goes_to_those_who_like_it_most() -> None:
    """137 users, a cap of 10 %: 13 lists show it, those with the strongest taste for it."""
    rng = np.random.default_rng(8)
    n_users, n_items = 137, 400
    users, items = rng.random((n_users, 6)), rng.random((n_items, 6))
    items[200] = [9, 0, 0, 0, 0, 0]
    users[:, 0] = 1 + rng.permutation(n_users)
    problem = Problem(
        users=users.astype(np.float32),
        items=items.astype(np.float32),
        categories=rng.integers(0, 9, n_items).astype(np.int32),
        available=np.ones(n_items, np.bool_),
        seen=[set() for _ in range(n_users)],
    )
    plain, _ = held(problem, TopNSettings(n=10))
    assert all(mine[0][0] == 200 for mine in plain)
    lists, _ = held(problem, TopNSettings(n=10, max_item_share=0.1))
    lucky = {user for user, mine in enumerate(lists) if 200 in dict(mine)}
    assert lucky == set(np.argsort(-problem.users[:, 0])[:13].tolist())
    assert {len(mine) for mine in lists} == {10}
    shown = Counter(item for mine in lists for item, _ in mine)
    assert max(shown.values()) == 13


def test_a_cap_of_one_list_gives_each_item_to_one_user() -> None:
    problem = Problem(
        users=np.array([[1.0], [3.0], [3.0]], np.float32),
        items=np.array([[2.0], [1.0]], np.float32),
        categories=np.zeros(2, np.int32),
        available=np.ones(2, np.bool_),
        seen=[set(), set(), set()],
    )
    lists, _ = held(problem, TopNSettings(n=2, max_item_share=0.01))
    assert lists == [[], [(0, 6.0), (1, 3.0)], []]  # of the two who tie, the first
    one_each, _ = held(problem, TopNSettings(n=1, max_item_share=0.01))
    assert one_each == [[], [(0, 6.0)], [(1, 3.0)]]


def test_no_cap_changes_nothing() -> None:
    problem = everybody()
    lists, hidden = held(problem, TopNSettings(n=10))
    assert lists == defined(problem, 10, 10, 3)
    assert (hidden != problem.seen_matrix).nnz == 0


def everybody() -> Problem:
    rng = np.random.default_rng(9)
    return Problem(
        users=(rng.random((60, 5)) + 0.2).astype(np.float32),
        items=rng.choice([0.1, 0.5, 1.0, 2.0], (150, 5)).astype(np.float32),
        categories=rng.integers(0, 6, 150).astype(np.int32),
        available=rng.random(150) < 0.95,
        seen=[set(rng.integers(0, 150, 10).tolist()) for _ in range(60)],
    )


@pytest.mark.parametrize(("block_users", "threads"), [(1, 3), (7, 1), (512, 2)])
def test_the_answer_depends_on_neither_blocks_nor_threads(
    monkeypatch: pytest.MonkeyPatch, block_users: int, threads: int
) -> None:
    settings = TopNSettings(n=10, max_item_share=0.1)
    expected, _ = held(everybody(), settings)
    monkeypatch.setattr(rank_module, "BLOCK_USERS", block_users)
    monkeypatch.setattr("os.cpu_count", lambda: threads)
    assert held(everybody(), settings)[0] == expected


def test_only_those_who_lost_something_are_listed_again() -> None:
    problem, settings = everybody(), TopNSettings(n=10, max_item_share=0.25)
    asked: list[int] = []
    catalogue, seen = problem.catalogue, problem.seen_matrix

    def recompute(rows: Rows, hidden: sp.csr_matrix) -> Block:
        asked.append(len(rows))
        return whole(rank(problem.scoring.of(rows), catalogue, hidden, settings))

    before = recompute(np.arange(60), seen)
    items = before.items.copy()
    after, hidden = apply_cap(before, 15, seen, recompute)
    assert (before.items == items).all()  # the plain lists stay as they were
    assert len(asked) > 2
    assert asked[-1] < 60
    touched = np.diff(hidden.indptr) > np.diff(seen.indptr)
    assert 0 < touched.sum() < 60
    assert (after.items[~touched] == items[~touched]).all()
