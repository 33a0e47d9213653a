"""The inner loops against the definition, with rough scores as wrong as they may be."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tasks.kernel import exact_score, list_block, list_user, walk
from tests.tasks.models import dot, walked


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
    taken = walk(np.array(order, np.int64), kinds, 5, page_size, cap, out)
    assert out[:taken].tolist() == walked(order, categories, n, page_size, cap)
    assert (out[taken:] == -1).all()


def test_what_a_page_has_no_room_for_does_not_come_back_on_the_next() -> None:
    """Items 0 to 3 are lamps, 4 to 7 mugs; lamp 2 is passed over, though page 2 has room for it."""
    kinds = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int32)
    order = np.array([0, 1, 2, 4, 3, 5, 6, 7])
    out = np.full(6, -1, np.int32)
    assert walk(order, kinds, 2, 3, 2, out) == 6
    assert out.tolist() == [0, 1, 4, 3, 5, 6]


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


@hypothesis_settings(max_examples=300)
@given(
    n_items=st.integers(1, 120),
    n=st.integers(1, 5),
    page_size=st.integers(1, 4),
    cap=st.integers(1, 3),
    n_categories=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_rough_scores_may_lie_by_the_margin_and_the_list_is_exact(
    n_items: int, n: int, page_size: int, cap: int, n_categories: int, seed: int
) -> None:
    """Every rough score is off by up to 1.9, so that neighbours change places; some are masked."""
    rng = np.random.default_rng(seed)
    scores = np.round(rng.exponential(3, n_items), 1).astype(np.float32)
    kinds = rng.integers(0, n_categories, n_items).astype(np.int32)
    rough = scores + rng.uniform(-1.9, 1.9, n_items).astype(np.float32)
    masked = rng.random(n_items) < 0.1
    rough[masked] = -np.inf
    out, found = np.full(n, -1, np.int32), np.zeros(n)
    user, items = np.ones(1, np.float32), scores.reshape(-1, 1)
    length = list_user(rough, user, items, 2.0, kinds, n_categories, page_size, cap, out, found)
    ranked = sorted(np.flatnonzero(~masked).tolist(), key=lambda item: (-scores[item], item))
    wanted = walked(ranked, kinds.tolist(), n, page_size, cap)
    assert out[:length].tolist() == wanted
    assert found[:length].tolist() == scores[wanted].tolist()


def test_the_margin_covers_what_a_matrix_product_may_round_away() -> None:
    """The best of 13 items near 64 is computed lower than the rest, by what k = 64 terms allow."""
    step, k = 2.0**-17, 64  # between one float32 near 64 and the next
    heights = np.array([*range(12), 20])
    items = np.ones((13, k), np.float32)
    items[:, 0] += heights.astype(np.float32) * np.float32(step)
    rough = (k + heights * step).astype(np.float32).reshape(1, -1)
    rough[0, 12] -= np.float32(0.95 * k * 2.0**-24 * k)  # k u |x||y|, the norms being 8 and 8
    assert (rough[0, 12] < rough[0, :12]).all()
    out, scores, lengths = np.full((1, 1), -1, np.int32), np.zeros((1, 1)), np.zeros(1, np.int64)
    everything, nothing = np.ones(13, np.bool_), np.zeros(2, np.int64)
    user, kinds = np.ones((1, k), np.float32), np.zeros(13, np.int32)
    list_block(
        rough,
        user,
        items,
        8.0,
        everything,
        nothing,
        kinds[:0],
        kinds,
        1,
        1,
        1,
        out,
        scores,
        lengths,
    )
    assert out.tolist() == [[12]]
    assert scores.tolist() == [[64 + 20 * step]]


@pytest.mark.parametrize("widenings", [0, 1, 2, 3])
def test_the_look_widens_until_the_caps_are_met(widenings: int) -> None:
    """One category fills the ranks down to where the other begins, past each width of the look."""
    n, n_items = 4, 2_000
    begins = 4 * n * 4**widenings - 3  # the last three candidates of the look that finds enough
    kinds = np.zeros(n_items, np.int32)
    kinds[begins : begins + 2] = 1
    scores = np.arange(n_items, 0, -1).astype(np.float32)
    out, found = np.full(n, -1, np.int32), np.zeros(n)
    user, items = np.ones(1, np.float32), scores.reshape(-1, 1)
    length = list_user(scores.copy(), user, items, 1e-3, kinds, 2, 4, 2, out, found)
    assert out[:length].tolist() == [0, 1, begins, begins + 1]
