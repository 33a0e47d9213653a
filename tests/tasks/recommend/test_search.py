"""The inner loops against the definition, with rough scores as wrong as they may be."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tasks.artifacts.factors import Factors
from tasks.io.jit import Flags, compiled, exact_score
from tasks.recommend._jit import item_blocks as kernel_bounds
from tasks.recommend._jit.category_cap import walk
from tasks.recommend._jit.int16_dot import products
from tasks.recommend._jit.item_blocks import ItemIndex, UserBlock, arrange, gather
from tasks.recommend._jit.quantize import Numbers
from tasks.recommend._jit.search import has_seen, threshold_of, walk_kept
from tasks.recommend._jit.search_state import open_state, rules_for
from tasks.recommend._jit.threshold import add_fresh, exact_scores, settle
from tests.tasks.small_models import dot, walked


@given(
    categories=st.lists(st.integers(0, 4), max_size=40),
    n=st.integers(1, 20),
    page_size=st.integers(1, 8),
    cap=st.integers(1, 10),
    data=st.data(),
)
def test_walk_is_the_definition(
    categories: list[int], n: int, page_size: int, cap: int, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(categories))))
    out = np.full(n, -1, np.int32)
    kinds = np.array(categories, np.int32)
    unknown = data.draw(st.integers(-1, 4))
    taken = walk(np.array(order, np.int64), kinds, 5, page_size, cap, unknown, out)
    alike = [g if g != unknown else -1 - item for item, g in enumerate(categories)]
    assert out[:taken].tolist() == walked(order, alike, n, page_size, cap)
    assert (out[taken:] == -1).all()


def test_what_a_page_has_no_room_for_does_not_come_back_on_the_next() -> None:
    """Items 0 to 3 are lamps, 4 to 7 mugs; lamp 2 is passed over, though page 2 has room for it."""
    kinds = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int32)
    order = np.array([0, 1, 2, 4, 3, 5, 6, 7])
    out = np.full(6, -1, np.int32)
    assert walk(order, kinds, 2, 3, 2, -1, out) == 6
    assert out.tolist() == [0, 1, 4, 3, 5, 6]


def test_a_category_that_is_none_is_never_full() -> None:
    """The same shelf with its lamps of unknown category: nothing is passed over but mugs."""
    kinds = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int32)
    order = np.array([0, 1, 2, 4, 3, 5, 6, 7])
    out = np.full(7, -1, np.int32)
    assert walk(order, kinds, 2, 3, 1, 0, out) == 5
    assert out.tolist() == [0, 1, 2, 4, 3, -1, -1]


@given(
    st.lists(
        st.tuples(*[st.floats(-(2.0**50), 2.0**50, width=32, allow_subnormal=False)] * 2),
        min_size=1,
        max_size=70,
    )
)
@example([(1e15, 1e15), (1.0, 1.0), (-1e15, 1e15)])  # in another order the 1 would survive
def test_exact_score_adds_up_in_float64_from_the_first_to_the_last(
    pairs: list[tuple[float, float]],
) -> None:
    user, item = (np.array(side, np.float32) for side in zip(*pairs, strict=True))
    assert exact_score(user, item) == dot(user, item)


@pytest.mark.parametrize("n_places", [0, 1, 7, 8, 9, 20])
def test_scores_side_by_side_are_the_scores_one_by_one(n_places: int) -> None:
    rng = np.random.default_rng(n_places)
    user, items = factors(rng, 33), factors(rng, 30, 33)
    places, out = rng.permutation(30)[:n_places], np.zeros(n_places + 7)
    exact_scores(user, items, places, np.empty((8, 33)), out)
    assert out[:n_places].tolist() == [dot(user, items[place]) for place in places]


def factors(rng: np.random.Generator, *shape: int) -> Factors:
    """Draw numbers whose sum depends on the order of summation."""
    wide = rng.standard_normal(shape) * 10.0 ** rng.uniform(-6, 6, shape)
    return wide.astype(np.float32)


def alone(user: Factors, index: ItemIndex, seen: Flags | None = None) -> UserBlock:
    """Make a block of one, who has seen nothing or the items flagged."""
    flags = np.zeros(len(index.place), np.bool_) if seen is None else seen
    return gather(user.reshape(1, -1), sp.csr_matrix(flags.reshape(1, -1)), index, 0, 1)


@hypothesis_settings(max_examples=300)
@given(
    n_items=st.integers(1, 120),
    n=st.integers(1, 5),
    page_size=st.integers(1, 8),
    cap=st.integers(1, 3),
    n_categories=st.integers(1, 5),
    n_fresh=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
)
def test_rough_scores_may_lie_by_the_margin_and_the_list_is_exact(
    n_items: int, n: int, page_size: int, cap: int, n_categories: int, n_fresh: int, seed: int
) -> None:
    """Every rough score is off by up to 1.9, so that neighbours change places; some are seen."""
    rng = np.random.default_rng(seed)
    scores = np.round(rng.exponential(3, n_items), 1).astype(np.float32)
    kinds = rng.integers(0, n_categories, n_items).astype(np.int32)
    seen = rng.random(n_items) < 0.1
    index = arrange(scores.reshape(-1, 1), kinds, np.ones(n_items, np.bool_))
    block = alone(np.ones(1, np.float32), index, seen)._replace(margin=np.array([2.0]))
    block.seen.sort()
    rules = rules_for(n, page_size, cap, n_categories)
    state = open_state(1, index, rules)._replace(fresh=np.empty((1, n_fresh), np.int32))
    state.cursor[0] = 0
    rough = scores[index.ids] + rng.uniform(-1.9, 1.9, n_items)
    for place in range(n_items):
        if rough[place] > state.threshold[0] and not has_seen(0, place, block, state):
            add_fresh(0, place, block, index, state, rules)
    settle(0, block, index, state, rules)
    if not state.full[0]:
        out, found = np.full(n, -1, np.int32), np.zeros(n)
        length = walk_kept(0, index, state, rules, out, found)
        shown = np.flatnonzero(~seen).tolist()
        ranked = sorted(shown, key=lambda item: (-scores[item], item))
        wanted = walked(ranked, kinds.tolist(), n, page_size, cap)
        assert index.ids[out[:length]].tolist() == wanted
        assert found[:length].tolist() == scores[wanted].tolist()


@compiled
def multiply(users: Numbers, team: Any, items: Numbers, out: Any) -> None:
    """Multiply a team with the first word of items."""
    products(users, team, items, 0, out)


def test_whoever_reaches_the_threshold_is_above_the_bar() -> None:
    """Thirteen items a float32 step apart near 64: rounded to 16 bits they are all alike."""
    step, k = 2.0**-17, 64
    items = np.ones((13, k), np.float32)
    items[:, 0] += np.array([*range(12), 20], np.float32) * np.float32(step)
    index = arrange(items, np.zeros(13, np.int32), np.ones(13, np.bool_))
    block, rules = alone(np.ones(k, np.float32), index), rules_for(1, 1, 1, 1)
    state = open_state(1, index, rules)
    state.team[:] = 0
    multiply(block.whole.numbers, state.team, index.numbers, state.head)
    for place, score in enumerate(index.items.astype(np.float64).sum(axis=1)):
        state.threshold[0] = score
        assert state.head[0, place] > threshold_of(0, 0, block, index, state)
    state.threshold[0] = 64 * 1.01
    assert state.head[0, :13].max() <= threshold_of(0, 0, block, index, state)


@pytest.mark.parametrize("score", [-np.inf, -1e300, 1e300, np.inf])
def test_a_threshold_beyond_all_products_lets_all_pass_or_none(score: float) -> None:
    index = arrange(np.ones((3, 1), np.float32), np.zeros(3, np.int32), np.ones(3, np.bool_))
    block, state = alone(np.ones(1, np.float32), index), open_state(1, index, rules_for(1, 1, 1, 1))
    state.threshold[0] = score
    assert threshold_of(0, 0, block, index, state) == (-(2**31) if score < 0 else 2**31 - 1)


@given(
    n_items=st.integers(1, 60),
    k=st.sampled_from([1, 2, 5, 32]),
    lean=st.sampled_from([0.0, 1.0, 10.0]),
    scale=st.sampled_from([0.0, 1e-20, 1.0, 1e15]),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_score_is_above_its_blocks_bound(
    n_items: int, k: int, lean: float, scale: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    items = ((rng.standard_normal((n_items, k)) + lean) * scale).astype(np.float32)
    items *= rng.choice([0.0, 1e-3, 1.0], (n_items, 1)).astype(np.float32)
    available = rng.random(n_items) < 0.9
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_bounds, "_HEAD_ITEMS", 5)
        patch.setattr(kernel_bounds, "_BLOCK_ITEMS", 3)
        patch.setattr(kernel_bounds, "_STRIP_ITEMS", 12)
        index = arrange(items, np.zeros(n_items, np.int32), available)
    assert sorted(index.ids.tolist()) == np.flatnonzero(available).tolist()
    assert index.place[index.ids].tolist() == list(range(len(index.ids)))
    assert (index.place[~available] == -1).all()
    for user in (*items[:3], *(rng.standard_normal((3, k)) + lean).astype(np.float32)):
        block = alone(user, index)
        for b in range(len(index.starts) - 1):
            exact = [dot(user, item) for item in index.items[index.starts[b] : index.starts[b + 1]]]
            along = max(block.along[0] * index.least[b], block.along[0] * index.most[b])
            bound = along + block.aside[0] * index.aside[b]
            assert max(exact) <= bound + block.margin[0] / 2
            longest = np.linalg.norm(user.astype(np.float64)) * index.longest[b]
            assert max(exact) <= longest + block.margin[0] / 2
