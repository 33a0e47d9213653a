"""`rank` against the definition in plain Python, and the file of lists as a whole."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError
from threadpoolctl import threadpool_info

from tasks.artifacts.factors import Factors, load_factors
from tasks.artifacts.records import Lists
from tasks.models.als.settings import TrainSettings
from tasks.models.registry import train_als
from tasks.recommend import exact_search as rank_module
from tasks.recommend._jit import item_blocks as kernel_bounds
from tasks.recommend._jit import search_state as kernel_state
from tasks.recommend._jit.item_blocks import ItemIndex, UserBlock
from tasks.recommend._jit.search import list_block
from tasks.recommend._jit.search_state import SearchState
from tasks.recommend.exact_search import rank
from tasks.recommend.settings import TopNSettings
from tasks.recommend.topn import top_n
from tasks.settings import Settings
from tests.tasks.small_models import (
    AS_OF,
    Event,
    Problem,
    defined,
    draw_links,
    learn,
    read_lists,
    unpacked,
)

LINKS = ("none", "sparse", "ties", "positive", "signed")
KINDS = ("grid", "real", "near ties", "zero", "negative", "extreme", "beyond")


def factors(rng: np.random.Generator, kind: str, n: int, k: int) -> Factors:
    """Draw n x k factors: many of them equal, or too near for float32 to tell apart, or ..."""
    if kind == "grid":
        drawn = rng.choice([-1.0, 0.0, 0.5, 1.0], (n, k))
    elif kind == "near ties":
        drawn = 1 + rng.integers(-3, 4, (n, k)) * 2.0**-23
    elif kind == "zero":
        drawn = rng.standard_normal((n, k)) * (rng.random((n, 1)) < 0.3)
    elif kind == "negative":
        drawn = -rng.random((n, k))
    elif kind == "extreme":
        drawn = rng.standard_normal((n, k)) * 10.0 ** rng.uniform(-20, 15, (n, 1))
    elif kind == "beyond":  # float32 products overflow
        drawn = rng.standard_normal((n, k)) * 10.0 ** rng.uniform(-30, 25, (n, 1))
    else:
        drawn = rng.standard_normal((n, k))
    return drawn.astype(np.float32)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Draw a problem: few users, up to 150 items, any share of them unavailable or seen."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_users, n_items = draw(st.integers(1, 5)), draw(st.integers(1, 150))
    k = draw(st.sampled_from([0, 1, 2, 5, 32]))
    n_categories = draw(st.sampled_from([1, 2, 5, 200]))
    seen_share = draw(st.sampled_from([0.0, 0.1, 0.9, 1.0]))
    available_share = draw(st.sampled_from([0.0, 0.5, 1.0, 1.0]))
    users = factors(rng, draw(st.sampled_from(KINDS)), n_users, k)
    items = factors(rng, draw(st.sampled_from(KINDS)), n_items, k)
    # Each category at its own height, so that the best items are much of a kind.
    categories = np.sort(rng.integers(0, n_categories, n_items)).astype(np.int32)
    items *= (1 + categories[:, None] * draw(st.sampled_from([0, 1]))).astype(np.float32)
    shuffled = rng.permutation(n_items)
    return Problem(
        users=users,
        items=items[shuffled],
        categories=categories[shuffled],
        available=rng.random(n_items) < available_share,
        seen=[set(np.flatnonzero(rng.random(n_items) < seen_share)) for _ in range(n_users)],
        unknown=draw(st.sampled_from([None, 0, 1])),
        **draw_links(rng, draw(st.sampled_from(LINKS)), n_users, n_items),
    )


def ranked(problem: Problem, settings: TopNSettings) -> list[list[tuple[int, float]]]:
    catalogue, seen = problem.catalogue, problem.seen_matrix
    return unpacked(rank(problem.scoring, catalogue, seen, settings))


def sizes(head: int, block: int, fresh: int, kept: int) -> AbstractContextManager[None]:
    """Have blocks of items and buffers of candidates of these sizes, however small."""

    @contextmanager
    def patched() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel_bounds, "_HEAD_ITEMS", head)
            patch.setattr(kernel_bounds, "_BLOCK_ITEMS", block)
            patch.setattr(kernel_bounds, "_STRIP_ITEMS", 4 * block)
            patch.setattr(kernel_state, "_LEAST_FRESH", fresh)
            patch.setattr(kernel_state, "_MOST_FRESH", fresh)
            patch.setattr(kernel_state, "_KEPT_LISTS", kept)
            yield

    return patched()


@hypothesis_settings(max_examples=500)
@given(
    problem=problems(),
    n=st.sampled_from([1, 3, 10, 200, 1_000]),
    page_size=st.integers(1, 12),
    cap=st.integers(1, 15),
    head=st.sampled_from([1, 20, 1024]),
    block=st.sampled_from([1, 7, 256]),
    fresh=st.sampled_from([1, 5, 64]),
    kept=st.sampled_from([1, 8]),
)
def test_rank_is_the_definition(
    problem: Problem,
    n: int,
    page_size: int,
    cap: int,
    head: int,
    block: int,
    fresh: int,
    kept: int,
) -> None:
    settings = TopNSettings(n=n, page_size=page_size, max_per_category=cap)
    with sizes(head, block, fresh, kept):
        assert ranked(problem, settings) == defined(problem, n, page_size, cap)


def big_problem(seed: int = 1) -> Problem:
    """Make 97 users and 1,500 items of 32 factors; nearly all the best are of one category."""
    rng = np.random.default_rng(seed)
    n_users, n_items = 97, 1_500
    items = rng.standard_normal((n_items, 32)).astype(np.float32)
    categories = (rng.random(n_items) < 0.12).astype(np.int32)
    items[categories == 0] += 0.6
    items[1::50] = items[0]  # thirty equal items
    users = (rng.standard_normal((n_users, 32)) + 0.5).astype(np.float32)
    seen = [set(rng.integers(0, n_items, 30).tolist()) for _ in range(n_users)]
    seen[5] = set(range(n_items))
    return Problem(users, items, categories, rng.random(n_items) < 0.9, seen)


def test_caps_that_bind_late_are_met_from_far_down_the_ranking() -> None:
    """For most users more items stand above the list's end than the state may keep."""
    problem, settings = big_problem(), TopNSettings(n=20, page_size=10, max_per_category=5)
    with sizes(100, 50, 16, kept=2):
        lists = ranked(problem, settings)
    assert lists == defined(problem, 20, 10, 5)
    deep = sum(
        1
        for diverse, user in zip(lists, problem.users, strict=True)
        if diverse and (problem.items @ user > diverse[-1][1]).sum() > 2 * 20
    )
    assert deep > 10


def test_a_page_that_can_never_fill_ends_the_list() -> None:
    """Two categories, at most 3 of each in a page of 10: six items, and no walk to the bottom."""
    problem, settings = big_problem(), TopNSettings(n=20, page_size=10, max_per_category=3)
    lists = ranked(problem, settings)
    assert lists == defined(problem, 20, 10, 3)
    assert {len(mine) for mine in lists} == {0, 6}


@pytest.mark.parametrize(
    ("block_users", "max_bytes", "threads", "head", "block"),
    [
        (1, 2**28, 2, 1024, 256),
        (7, 2**28, 1, 64, 16),
        (512, 2**28, 5, 1, 1),
        (512, 1, 3, 300, 100),
        (512, 400_000, 2, 1024, 256),
    ],
)
def test_the_answer_depends_on_neither_blocks_nor_threads(
    monkeypatch: pytest.MonkeyPatch,
    block_users: int,
    max_bytes: int,
    threads: int,
    head: int,
    block: int,
) -> None:
    problem = big_problem()
    monkeypatch.setattr(rank_module, "BLOCK_USERS", block_users)
    monkeypatch.setattr("os.cpu_count", lambda: threads)
    with sizes(head, block, fresh=16, kept=4):
        lists = ranked(problem, TopNSettings(n=20, max_per_category=6, max_bytes=max_bytes))
    assert lists == defined(problem, 20, 10, 6)


def test_the_answer_depends_on_no_other_user() -> None:
    problem, settings = big_problem(), TopNSettings(n=20, max_per_category=6)
    order = np.random.default_rng(4).permutation(len(problem.users))
    seen = [problem.seen[user] for user in order]
    shuffled = replace(problem, users=problem.users[order], seen=seen)
    lists = ranked(problem, settings)
    assert ranked(shuffled, settings) == [lists[user] for user in order]


def test_blocks_of_items_out_of_reach_are_not_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    """One item in a hundred is long; once those are scored, no short one can enter a list."""
    rng = np.random.default_rng(2)
    items = rng.standard_normal((3_000, 8)).astype(np.float32)
    items[np.arange(3_000) % 100 != 0] *= np.float32(1e-3)
    problem = Problem(
        users=rng.standard_normal((40, 8)).astype(np.float32),
        items=items,
        categories=np.zeros(3_000, np.int32),
        available=np.ones(3_000, np.bool_),
        seen=[set() for _ in range(40)],
    )

    def spoiled(block: UserBlock, index: ItemIndex, state: SearchState, *rest: Any) -> None:
        index.items[100:] = np.nan  # would be met by whoever scored them, and all would look good
        index.units[2:] = 1e-30
        list_block(block, index, state, *rest)

    monkeypatch.setattr(rank_module, "list_block", spoiled)
    with sizes(100, 50, fresh=16, kept=8):
        lists = ranked(problem, TopNSettings(n=3))
    assert lists == defined(problem, 3, 10, 3)


def test_blas_keeps_to_one_thread_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[int] = []

    def watched(*args: Any) -> None:
        list_block(*args)
        found.extend(
            pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
        )

    monkeypatch.setattr(rank_module, "list_block", watched)
    ranked(big_problem(), TopNSettings(n=3))
    assert set(found) == {1}


@pytest.mark.parametrize(("max_bytes", "threads"), [(600_000, 3), (200_000, 2), (40_000, 1)])
def test_no_more_scores_than_the_budget_stand_at_a_time(
    monkeypatch: pytest.MonkeyPatch, max_bytes: int, threads: int
) -> None:
    lock, standing, heights = Lock(), 0, []

    def weighed(block: UserBlock, index: ItemIndex, state: SearchState, *rest: Any) -> None:
        nonlocal standing
        weight = sum(part.nbytes for part in state)
        with lock:
            standing += weight
            heights.append(standing)
        list_block(block, index, state, *rest)
        with lock:
            standing -= weight

    monkeypatch.setattr(rank_module, "list_block", weighed)
    monkeypatch.setattr("os.cpu_count", lambda: threads)
    problem = big_problem()
    assert len(ranked(problem, TopNSettings(n=5, max_bytes=max_bytes))) == len(problem.users)
    assert max(heights) <= max_bytes
    assert max(heights) > max_bytes // threads // 4  # and the budget is used


@pytest.mark.parametrize("n_users", [0, 2])
def test_a_catalogue_of_which_nothing_is_available_gives_empty_lists(n_users: int) -> None:
    problem = Problem(
        users=np.ones((n_users, 3), np.float32),
        items=np.ones((4, 3), np.float32),
        categories=np.zeros(4, np.int32),
        available=np.zeros(4, np.bool_),
        seen=[set() for _ in range(n_users)],
    )
    assert ranked(problem, TopNSettings(n=5)) == [[]] * n_users


def test_unused_places_are_told_apart_from_item_0() -> None:
    problem = Problem(
        users=np.ones((2, 1), np.float32),
        items=np.array([[-3e38], [1.0], [0.0]], np.float32),
        categories=np.zeros(3, np.int32),
        available=np.array([True, True, False]),
        seen=[{0}, {0, 1}],
    )
    settings = TopNSettings(n=4)
    blocks = list(rank(problem.scoring, problem.catalogue, problem.seen_matrix, settings))
    assert [length for block in blocks for length in block.lengths] == [1, 0]
    assert [row for block in blocks for row in block.items.tolist()] == [[1, -1, -1, -1], [-1] * 4]
    assert [row for block in blocks for row in block.scores.tolist()] == [[1.0, 0, 0, 0], [0.0] * 4]


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 1_001}, {"page_size": 0}, {"max_bytes": 0}])
def test_settings_that_would_never_end_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match=f"topn.{next(iter(wrong))}"):
        Settings.model_validate({"topn": wrong})


SHOP: dict[str, dict[str, Any]] = {
    f"i{number:02}": {"category": f"c{number % 4}"} for number in range(40)
}
SHOP["i07"] |= {"available": False}
SHOP["unloved"] = {"category": "unknown"}  # no event, and no content to place it by


def shop_events() -> list[Event]:
    """Twelve users view a third of the shop and buy some of it; u00 buys everything."""
    rng = np.random.default_rng(3)
    ids = sorted(set(SHOP) - {"unloved"})
    events = [("u00", item, "purchase", AS_OF - timedelta(hours=5)) for item in ids]
    for user, item in product(range(1, 12), ids):
        chance = rng.random()
        if chance < 0.35:
            kind = "purchase" if chance < 0.1 else "dislike" if chance < 0.15 else "view"
            events.append((f"u{user:02}", item, kind, AS_OF - timedelta(days=int(chance * 100))))
    return events


def test_the_file_holds_every_list_by_definition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_module, "BLOCK_USERS", 5)
    events = shop_events()
    weights = {"view": 1.0, "purchase": 5.0, "dislike": -3.0}
    night = learn(tmp_path, events, SHOP, seen=("purchase",), weights=weights)
    training = TrainSettings(factors=8, iterations=5)
    model = train_als(night.run, night.features, training)
    steps: list[tuple[int, int]] = []
    lists = top_n(
        night.run,
        night.features,
        model,
        TopNSettings(n=12, page_size=4, max_per_category=2),
        progress=lambda done, total: steps.append((done, total)),
    )

    (user_ids, users), (item_ids, items) = map(
        load_factors, (model.user_factors, model.item_factors)
    )
    position = {item: at for at, item in enumerate(item_ids.to_pylist())}
    bought = {
        user: {position[item] for who, item, kind, _ in events if (who, kind) == (user, "purchase")}
        for user in user_ids.to_pylist()
    }
    problem = Problem(
        users=users,
        items=items,
        categories=np.array([int(SHOP[item]["category"][1:]) for item in position], np.int32),
        available=np.array([item != "i07" for item in position]),
        seen=list(bought.values()),
    )
    wanted = dict(zip(bought, defined(problem, 12, 4, 2), strict=True))

    found = read_lists(lists.path)
    assert "u00" not in found  # has bought all that there is
    assert wanted.pop("u00") == []
    assert list(found) == list(wanted)
    liked = {
        user: {item for who, item, kind, _ in events if who == user and kind != "dislike"}
        for user in found
    }
    for user, row in found.items():
        assert row["item_ids"] == [item_ids[item].as_py() for item, _ in wanted[user]]
        assert row["scores"] == [score for _, score in wanted[user]]
        for item, code, because in zip(row["item_ids"], row["codes"], row["because"], strict=True):
            assert code in ("because", "again", "taste")
            assert (because in liked[user]) == (code == "because")
            assert because != item
            assert code != "again" or (item in liked[user] and because == "")
    assert {code for row in found.values() for code in row["codes"]} >= {"because", "again"}
    assert (lists.n_lists, lists.n_full) == (11, sum(len(row) == 12 for row in wanted.values()))
    assert steps[-1] == (12, 12)


@pytest.mark.parametrize("rules", [{}, {"explore_slots": 1, "max_item_share": 0.4}])
def test_who_was_not_here_recently_has_no_list_and_changes_no_other(
    tmp_path: Path, rules: dict[str, Any]
) -> None:
    gone = {"u02", "u05", "u11"}
    events: list[Event] = [
        (
            user,
            item,
            kind,
            AS_OF - timedelta(days=30) if user in gone else AS_OF - timedelta(days=7),
        )
        for user, item, kind, _ in shop_events()
    ]
    weights = {"view": 1.0, "purchase": 5.0, "dislike": -3.0}
    night = learn(tmp_path, events, SHOP, seen=("purchase",), weights=weights)
    training = TrainSettings(factors=8, iterations=5)
    model = train_als(night.run, night.features, training)

    def made(days: int | None) -> tuple[Lists, dict[str, dict[str, list[Any]]]]:
        settings = TopNSettings(n=12, active_within_days=days, **rules)
        lists = top_n(night.run, night.features, model, settings)
        return lists, read_lists(lists.path)

    everybody, all_lists = made(None)
    some, lists = made(7)
    assert (everybody.n_inactive, some.n_inactive) == (0, len(gone))
    assert set(lists) == set(all_lists) - gone
    assert some.n_lists == everybody.n_lists - len(gone)
    if not rules:  # rules over all lists look at all of them
        assert lists == {user: all_lists[user] for user in lists}
    assert made(6)[0].n_lists == 0
