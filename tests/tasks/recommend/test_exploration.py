"""Exploration against its definition in plain Python, and a night with all rules in force."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.artifacts.records import Lists
from tasks.models.als.settings import TrainSettings
from tasks.models.registry import train_als
from tasks.recommend import exact_search as rank_module
from tasks.recommend._jit.exploration import Places
from tasks.recommend.exact_search import rank
from tasks.recommend.rerank.exploration import Favourites, explore, load_favourites, load_new
from tasks.recommend.rerank.pipeline import whole
from tasks.recommend.settings import TopNSettings
from tasks.recommend.topn import top_n
from tasks.settings import Settings
from tests.tasks.small_models import (
    AS_OF,
    Event,
    Learnt,
    Problem,
    draw_links,
    learn,
    read_lists,
    unpacked,
)

Row = list[tuple[int, float]]


@dataclass(frozen=True)
class Shop:
    """A problem, with what each user likes and which items are new."""

    problem: Problem
    liked: list[list[int]]
    new: npt.NDArray[np.bool_]

    @property
    def favourites(self) -> Favourites:
        starts = np.cumsum([0, *map(len, self.liked)]).astype(np.int64)
        return Favourites(starts, np.array([g for mine in self.liked for g in mine], np.int32))


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    """Draw a few users and items, with ties of scores; some users like nothing."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_users, n_items = draw(st.integers(1, 8)), draw(st.integers(1, 60))
    n_categories = draw(st.sampled_from([1, 2, 5]))
    seen_share = draw(st.sampled_from([0.0, 0.3, 1.0]))
    categories = rng.integers(0, n_categories, n_items).astype(np.int32)
    n_categories = int(categories.max()) + 1
    unknown = draw(st.sampled_from([None, 0, 1]))
    users = rng.choice([0.0, 0.5, 1.0], (n_users, 2))
    items = rng.choice([-1.0, 0.0, 0.5, 1.0], (n_items, 2))
    liked = [rng.permutation(n_categories)[: rng.integers(0, 4)].tolist() for _ in range(n_users)]
    return Shop(
        Problem(
            users=users.astype(np.float32),
            items=items.astype(np.float32),
            categories=categories,
            available=rng.random(n_items) < 0.9,
            seen=[set(np.flatnonzero(rng.random(n_items) < seen_share)) for _ in range(n_users)],
            unknown=unknown,
            **draw_links(rng, draw(st.sampled_from(["none", "ties"])), n_users, n_items),
        ),
        liked,
        rng.random(n_items) < draw(st.sampled_from([0.0, 0.2, 1.0])),
    )


def walk(shop: Shop, settings: TopNSettings) -> list[Row]:
    problem = shop.problem
    catalogue, seen = problem.catalogue, problem.seen_matrix
    return unpacked(rank(problem.scoring, catalogue, seen, settings))


def dealt(shop: Shop, settings: TopNSettings, most: int) -> tuple[list[Row], list[set[int]]]:
    """Return the lists with their exploring places dealt out, and those places."""
    problem, slots = shop.problem, settings.explore_slots
    catalogue, seen = problem.catalogue, problem.seen_matrix
    plain = whole(rank(problem.scoring, catalogue, seen, settings))
    rules = (settings.n, settings.page_size, slots, settings.max_per_category, most)
    places = Places(*rules, catalogue.uncapped)
    lists, explored = explore(
        problem.scoring, catalogue, plain, seen, shop.favourites, shop.new, places
    )
    return unpacked([lists]), [set(np.flatnonzero(row).tolist()) for row in explored]


def dealt_by_definition(
    shop: Shop, settings: TopNSettings, most: int
) -> tuple[list[Row], list[set[int]]]:
    """Deal out one place after another, counting everything anew each time."""
    problem, size = shop.problem, settings.page_size
    lists = walk(shop, settings)
    shown = Counter(item for mine in lists for item, _ in mine)
    n_lists, n_available = sum(map(bool, lists)), int(problem.available.sum())
    pool = [
        item
        for item in range(len(problem.items))
        if problem.available[item]
        and (shop.new[item] or shown[item] < n_lists * settings.n / n_available)
    ]
    explored: list[set[int]] = [set() for _ in lists]
    for user, mine in enumerate(lists):
        for at in range(len(mine)):
            end = min((at // size + 1) * size, settings.n)
            if at < end - settings.explore_slots:
                continue
            page = [item for item, _ in mine[at // size * size : end]]
            beside = [problem.alike[item] for item in page if item != mine[at][0]]
            shown = Counter(item for each in lists for item, _ in each)
            fitting = [
                (shown[item], -problem.score(user, item), item)
                for item in pool
                if problem.categories[item] in shop.liked[user]
                and item not in problem.seen[user]
                and item not in dict(mine)
                and shown[item] < most
                and beside.count(problem.alike[item]) < settings.max_per_category
            ]
            if fitting:
                _, minus_score, item = min(fitting)
                mine[at] = (item, -minus_score)
                explored[user].add(at)
    return lists, explored


@hypothesis_settings(max_examples=400, deadline=None)
@given(
    shop=shops(),
    n=st.sampled_from([1, 4, 7, 30]),
    page_size=st.sampled_from([1, 3, 5]),
    cap=st.sampled_from([1, 2, 5]),
    slots=st.integers(0, 5),
    most=st.sampled_from([1, 3, 100]),
)
def test_dealing_is_the_definition(
    shop: Shop, n: int, page_size: int, cap: int, slots: int, most: int
) -> None:
    settings = TopNSettings(
        n=n, page_size=page_size, max_per_category=cap, explore_slots=min(slots, page_size)
    )
    assert dealt(shop, settings, most) == dealt_by_definition(shop, settings, most)


def big_shop(*, n_users: int = 40) -> Shop:
    """Everybody's best are the same items; everybody likes category 0 and one of the others."""
    rng = np.random.default_rng(12)
    categories = np.repeat(np.arange(5, dtype=np.int32), 40)
    items = rng.random((200, 4))
    items[::8] += 3
    return Shop(
        Problem(
            users=(rng.random((n_users, 4)) + 0.5).astype(np.float32),
            items=items.astype(np.float32),
            categories=categories,
            available=np.ones(200, np.bool_),
            seen=[set() for _ in range(n_users)],
        ),
        [[0, 1 + user % 4] for user in range(n_users)],
        np.zeros(200, np.bool_),
    )


def test_what_nobody_is_shown_goes_round() -> None:
    """Eight users of each taste, four places each, 32 to 40 items that nobody is shown: no two."""
    shop = replace(big_shop(), liked=[[user % 5] for user in range(40)])
    settings = TopNSettings(n=20, max_per_category=10)
    before = {item for mine in walk(shop, settings) for item, _ in mine}
    categories = shop.problem.categories
    assert all((categories[sorted(before)] == g).sum() <= 8 for g in range(5))
    lists, explored = dealt(shop, replace(settings, explore_slots=2), most=40)
    assert explored == [{8, 9, 18, 19}] * 40
    found = [mine[at][0] for mine, places in zip(lists, explored, strict=True) for at in places]
    assert len(set(found)) == 160
    assert [categories[item] for item in found] == [
        user % 5 for user in range(40) for _ in range(4)
    ]


def test_explored_places_keep_the_category_rule() -> None:
    shop = big_shop()
    before = walk(shop, TopNSettings(n=20))
    lists, explored = dealt(shop, TopNSettings(n=20, explore_slots=2), most=40)
    assert sum(map(len, explored)) > 80
    for user, mine in enumerate(lists):
        assert [each for at, each in enumerate(mine) if at % 10 < 8] == [
            each for at, each in enumerate(before[user]) if at % 10 < 8
        ]
        for first in (0, 10):
            page = shop.problem.categories[[item for item, _ in mine[first : first + 10]]]
            room = Counter(page.tolist())
            assert max(room.values()) <= 3
            for at in {8, 9} - {place - first for place in explored[user]}:
                left = [room[liked] - (page[at] == liked) for liked in shop.liked[user]]
                assert set(left) == {3}  # what stayed, stayed for lack of room


def test_where_nothing_fits_the_lists_own_item_stays() -> None:
    shop, settings = big_shop(), TopNSettings(n=20, explore_slots=2)
    plain = walk(shop, settings)
    loners = replace(shop, liked=[[] for _ in shop.liked])
    assert dealt(loners, settings, most=40) == (plain, [set()] * 40)
    assert dealt(shop, settings, most=0) == (plain, [set()] * 40)  # the cap is reached


def test_new_items_are_explored_though_many_lists_show_them() -> None:
    """Three of four lists show item 0, an equal share being two; the fourth user lacks it."""
    shop = Shop(
        Problem(
            users=np.array([[4, 3, 0, 0]] * 3 + [[1, 4, 3, 2]], np.float32),
            items=np.eye(4, dtype=np.float32),
            categories=np.zeros(4, np.int32),
            available=np.ones(4, np.bool_),
            seen=[set(), set(), set(), {3}],
        ),
        liked=[[], [], [], [0]],
        new=np.zeros(4, np.bool_),
    )
    settings = TopNSettings(n=2, page_size=2, max_per_category=2, explore_slots=1)
    lists, explored = dealt(shop, settings, most=4)
    assert (lists[3], explored[3]) == ([(1, 4.0), (2, 3.0)], set())
    lists, explored = dealt(replace(shop, new=np.arange(4) == 0), settings, most=4)
    assert (lists[3], explored[3]) == ([(1, 4.0), (0, 1.0)], {1})
    lists, explored = dealt(replace(shop, new=np.arange(4) == 0), settings, most=3)
    assert (lists[3], explored[3]) == ([(1, 4.0), (2, 3.0)], set())  # the cap is reached


def test_settings_out_of_range_are_refused() -> None:
    for wrong in (
        {"explore_slots": 11},
        {"explore_slots": -1},
        {"max_item_share": 0.0},
        {"max_item_share": 1.1},
        {"mmr_lambda": -0.1},
        {"rerank": "best"},
        {"new_days": 0},
    ):
        with pytest.raises(ValidationError, match="topn"):
            Settings.model_validate({"topn": wrong})


SHOP: dict[str, dict[str, Any]] = {
    f"i{number:02}": {
        "category": f"c{number % 4}",
        "created_at": (AS_OF - timedelta(days=40)).replace(tzinfo=None),
    }
    for number in range(60)
}
TRAINING = TrainSettings(factors=8, iterations=5)


def shop_events() -> list[Event]:
    """Thirty users view and buy; a few items are everybody's."""
    rng = np.random.default_rng(3)
    events = []
    for user, item in product(range(30), sorted(SHOP)):
        popular = int(item[1:]) < 8
        if rng.random() < (0.6 if popular else 0.12):
            kind = "purchase" if rng.random() < 0.3 else "view"
            at = AS_OF - timedelta(days=int(rng.integers(1, 30)))
            events.append((f"u{user:02}", item, kind, at))
    return events


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    weights = {"view": 1.0, "purchase": 5.0}
    root = tmp_path_factory.mktemp("night")
    return learn(root, shop_events(), SHOP, seen=("purchase",), weights=weights)


def listed(night: Learnt, settings: TopNSettings) -> tuple[Lists, dict[str, dict[str, list[Any]]]]:
    model = train_als(night.run, night.features, TRAINING)
    lists = top_n(night.run, night.features, model, settings)
    return lists, read_lists(lists.path)


SMALL = TopNSettings(n=12, page_size=4, max_per_category=2)


def test_a_night_with_all_rules_in_force(night: Learnt) -> None:
    rules = replace(SMALL, rerank="mmr", max_item_share=0.5, explore_slots=1)
    (plain, before), (lists, after) = listed(night, SMALL), listed(night, rules)
    assert plain.score_kept is None
    sums = [sum(sum(row["scores"]) for row in rows.values()) for rows in (before, after)]
    assert lists.score_kept == pytest.approx(sums[1] / sums[0])
    shown = Counter(item for row in after.values() for item in row["item_ids"])
    assert max(shown.values()) <= len(before) // 2
    favourites = {
        row["user_id"]: row["favorite_categories"]
        for row in pq.read_table(night.features.users).to_pylist()
    }
    explored = 0
    for user, row in after.items():
        assert len(set(row["item_ids"])) == len(row["item_ids"])
        for at, (item, code, because) in enumerate(
            zip(row["item_ids"], row["codes"], row["because"], strict=True)
        ):
            assert code in ("because", "again", "taste", "discover")
            if code == "discover":
                explored += 1
                assert at % 4 == 3
                assert because == SHOP[item]["category"]
                assert because in favourites[user]
    assert explored > 60


def test_rules_that_are_off_change_no_byte(night: Learnt) -> None:
    lists, _ = listed(night, SMALL)
    plain = lists.path.read_bytes()
    again, _ = listed(night, replace(SMALL, mmr_lambda=0.1, new_days=3))
    assert again.path.read_bytes() == plain


def test_without_the_category_rule_score_alone_decides(night: Learnt) -> None:
    free = replace(SMALL, max_per_category=4)
    (_, by_cap), (lists, by_score) = (
        listed(night, free),
        listed(night, replace(SMALL, rerank="none")),
    )
    assert by_score == by_cap
    assert lists.score_kept is not None
    assert lists.score_kept > 1


@pytest.mark.parametrize(("block_users", "threads"), [(1, 3), (7, 1)])
def test_the_answer_depends_on_neither_blocks_nor_threads(
    night: Learnt, monkeypatch: pytest.MonkeyPatch, block_users: int, threads: int
) -> None:
    rules = replace(SMALL, rerank="mmr", max_item_share=0.3, explore_slots=2)
    _, expected = listed(night, rules)
    monkeypatch.setattr(rank_module, "BLOCK_USERS", block_users)
    monkeypatch.setattr("os.cpu_count", lambda: threads)
    assert listed(night, rules)[1] == expected


def test_favourites_are_those_of_the_features(night: Learnt) -> None:
    ids = pq.read_table(night.features.user_ids).column("id").combine_chunks()
    catalogue = replace(big_shop().problem.catalogue, category_names=["c3", "c1", "c0"])
    found = load_favourites(night.features.users, ids, catalogue)
    rows = pq.read_table(night.features.users).to_pylist()
    liked = {row["user_id"]: row["favorite_categories"] for row in rows}
    for user, first, end in zip(ids.to_pylist(), found.starts, found.starts[1:], strict=False):
        mine = [catalogue.category_names[g] for g in found.categories[first:end]]
        assert mine == [name for name in liked[user] if name != "c2"]
    assert any("c2" in mine for mine in liked.values())


def test_an_item_without_a_date_began_with_its_first_event(tmp_path: Path) -> None:
    days = {"old": 40, "edge": 28, "young": 27, "today": 0}
    stamps: dict[str, Any] = {
        name: (AS_OF - timedelta(days=age)).replace(tzinfo=None) for name, age in days.items()
    }
    items: dict[str, dict[str, Any]] = {
        name: {"item_id": name, "created_at": at, "first_seen": None} for name, at in stamps.items()
    }
    items["old"]["first_seen"] = stamps["young"]
    items["undated"] = {"item_id": "undated", "created_at": None, "first_seen": stamps["young"]}
    items["unknown"] = {"item_id": "unknown", "created_at": None, "first_seen": None}
    later = (AS_OF + timedelta(days=1)).replace(tzinfo=None)
    items["to come"] = {"item_id": "to come", "created_at": later, "first_seen": None}
    schema = pa.schema(
        [
            ("item_id", pa.string()),
            ("created_at", pa.timestamp("us")),
            ("first_seen", pa.timestamp("us")),
        ]
    )
    path = tmp_path / "items.parquet"
    pq.write_table(pa.Table.from_pylist(list(items.values()), schema), path)
    ids = pa.array(sorted(items))
    found = load_new(path, ids, AS_OF, days=28)
    assert {name for name, new in zip(ids.to_pylist(), found, strict=True) if new} == {
        "edge",
        "young",
        "today",
        "undated",
    }
