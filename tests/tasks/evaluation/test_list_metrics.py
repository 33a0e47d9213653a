"""Each metric against its definition written another way, and against planted answers."""

import math
from itertools import chain, combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluation import list_metrics
from tasks.evaluation.list_metrics import Exposure

N_ITEMS = 9
N_CATEGORIES = 4
RawLists = list[list[int]]

raw_lists = st.lists(
    st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=N_ITEMS), max_size=8
)
counts_of_items = st.lists(st.integers(0, 20), min_size=1, max_size=12)
categories_of_items = st.lists(st.integers(0, N_CATEGORIES - 1), min_size=N_ITEMS, max_size=N_ITEMS)


def laid_out(lists: RawLists) -> Exposure:
    offsets = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    return Exposure(np.array(list(chain(*lists)), np.int32), offsets, N_ITEMS)


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


@given(raw_lists)
def test_exposure_counts_the_lists_that_show_an_item(lists: RawLists) -> None:
    exposure = laid_out(lists)
    assert exposure.counts.tolist() == [sum(i in one for one in lists) for i in range(N_ITEMS)]


@given(raw_lists, st.sets(st.integers(0, N_ITEMS - 1)))
def test_coverage_by_sets(lists: RawLists, on_sale: set[int]) -> None:
    available = np.isin(np.arange(N_ITEMS), list(on_sale))
    shown = set().union(*map(set, lists))
    expected = len(shown & on_sale) / len(on_sale) if on_sale else 0.0
    assert list_metrics.coverage(laid_out(lists).counts, available) == pytest.approx(expected)


@given(raw_lists, categories_of_items)
def test_category_entropy_list_by_list(lists: RawLists, categories: list[int]) -> None:
    expected = []
    for one in lists:
        if len(one) >= 2:
            groups = [categories[item] for item in one]
            shares = [groups.count(group) / len(one) for group in set(groups)]
            entropy = sum(share * math.log2(1 / share) for share in shares)
            expected.append(entropy / math.log2(min(len(one), N_CATEGORIES)))
    found = list_metrics.category_entropies(laid_out(lists), np.array(categories), N_CATEGORIES)
    assert found.tolist() == pytest.approx(expected, abs=1e-12)
    assert all(0 <= value <= 1 for value in found)


@pytest.mark.parametrize(
    ("categories", "n_categories", "expected"),
    [([0] * 9, 4, 0.0), ([0, 1, 2, 3] * 2 + [0], 4, 1.0), ([0] * 9, 1, 0.0)],
    ids=["one category shown", "as even as can be", "one category in all"],
)
def test_category_entropy_planted(
    categories: list[int], n_categories: int, expected: float
) -> None:
    exposure = laid_out([[0, 1, 2, 3], [4, 5, 6, 7]])
    found = list_metrics.category_entropies(exposure, np.array(categories), n_categories)
    assert found.tolist() == [expected, expected]


@given(raw_lists, st.integers(0, 2**32 - 1))
def test_intra_list_diversity_by_pairs(lists: RawLists, seed: int) -> None:
    factors = np.random.default_rng(seed).integers(-3, 4, (N_ITEMS, 3)).astype(np.float64)
    expected = []
    for one in lists:
        vectors = [factors[item] for item in one if factors[item].any()]
        cosines = [float(a @ b / math.sqrt((a @ a) * (b @ b))) for a, b in combinations(vectors, 2)]
        if cosines:
            expected.append(1 - mean(cosines))
    found = list_metrics.intra_list_diversity(laid_out(lists), factors)
    assert found == pytest.approx(mean(expected), abs=1e-9)


def test_intra_list_diversity_does_not_depend_on_the_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(5)
    exposure = laid_out([rng.permutation(N_ITEMS)[:k].tolist() for k in (0, 5, 1, 9, 4, 3, 0)])
    factors = rng.normal(size=(N_ITEMS, 4))
    whole = list_metrics.intra_list_diversity(exposure, factors)
    monkeypatch.setattr(list_metrics, "_BLOCK", 2)
    assert list_metrics.intra_list_diversity(exposure, factors) == pytest.approx(whole)


@given(raw_lists)
def test_personalisation_by_pairs(lists: RawLists) -> None:
    shared = [float(len(set(a) & set(b))) for a, b in combinations(lists, 2)]
    length = mean([float(len(one)) for one in lists])
    expected = 1 - mean(shared) / length if shared and length else 0.0
    found = list_metrics.personalisation(laid_out(lists).counts, len(lists))
    assert found == pytest.approx(expected, abs=1e-12)
    assert 0 <= found <= 1


@pytest.mark.parametrize(
    ("lists", "expected"),
    [([[0, 1, 2]] * 5, 0.0), ([[0, 1], [2, 3], [4, 5]], 1.0), ([[0, 1], [1, 2]], 0.5)],
    ids=["one list for all", "disjoint", "half shared"],
)
def test_personalisation_planted(lists: RawLists, expected: float) -> None:
    assert list_metrics.personalisation(laid_out(lists).counts, len(lists)) == pytest.approx(
        expected
    )


@given(raw_lists, st.lists(st.integers(0, 6), min_size=N_ITEMS, max_size=N_ITEMS))
def test_novelty_place_by_place(lists: RawLists, popularity: list[int]) -> None:
    bits = [
        math.log2(6 / popularity[item]) if popularity[item] else math.log2(7)
        for one in lists
        for item in one
    ]
    found = list_metrics.novelty(laid_out(lists).counts, np.array(popularity), n_users=6)
    assert found == pytest.approx(mean(bits), abs=1e-12)


@given(counts_of_items)
def test_gini_is_twice_the_area_over_the_lorenz_curve(counts: list[int]) -> None:
    n, total = len(counts), sum(counts)
    heights = [sum(sorted(counts)[:k]) / total if total else k / n for k in range(n + 1)]
    area = sum((a + b) / 2 / n for a, b in pairwise(heights))
    assert list_metrics.gini(np.array(counts)) == pytest.approx(1 - 2 * area, abs=1e-12)
    assert list_metrics.lorenz(np.array(counts), n + 1).tolist() == pytest.approx(heights)


@given(counts_of_items)
def test_gini_by_mean_differences(counts: list[int]) -> None:
    differences = sum(abs(a - b) for a in counts for b in counts)
    expected = differences / (2 * len(counts) * sum(counts)) if sum(counts) else 0.0
    assert list_metrics.gini(np.array(counts)) == pytest.approx(expected, abs=1e-12)


@given(raw_lists, st.lists(st.integers(0, 6), min_size=N_ITEMS, max_size=N_ITEMS))
def test_popularity_lift_place_by_place(lists: RawLists, popularity: list[int]) -> None:
    shown = mean([popularity[item] for one in lists for item in one])
    taken = mean([float(h) for h in popularity for _ in range(h)])
    found = list_metrics.popularity_lift(laid_out(lists).counts, np.array(popularity))
    assert found == pytest.approx(shown / taken if taken else 0.0)


def test_popularity_lift_of_the_histories_themselves_is_one() -> None:
    popularity = np.array([7, 3, 0, 1])
    assert list_metrics.popularity_lift(popularity, popularity) == pytest.approx(1.0)


@given(raw_lists, st.integers(0, 3), st.integers(1, N_ITEMS))
def test_list_shares_add_up(lists: RawLists, n_strangers: int, list_length: int) -> None:
    n_users = len(lists) + n_strangers
    found = list_metrics.list_shares(laid_out(lists).lengths, n_users, list_length)
    kinds = [
        "full" if len(one) >= list_length else "short" if one else "fallback" for one in lists
    ] + ["fallback"] * n_strangers
    for kind in ("full", "short", "fallback"):
        expected = kinds.count(kind) / n_users if n_users else 0.0
        assert getattr(found, kind) == pytest.approx(expected)


@given(raw_lists, categories_of_items, st.integers(1, 10), st.integers(1, 4))
def test_category_breaches_page_by_page(
    lists: RawLists, categories: list[int], page_size: int, room: int
) -> None:
    expected = 0
    for one in lists:
        for first in range(0, len(one), page_size):
            page = [categories[item] for item in one[first : first + page_size]]
            expected += sum(max(0, page.count(group) - room) for group in set(page))
    found = list_metrics.category_breaches(laid_out(lists), np.array(categories), page_size, room)
    assert found == expected


def test_no_lists_and_no_items_measure_zero() -> None:
    nothing = Exposure(np.zeros(0, np.int32), np.zeros(1, np.int64), n_items=0)
    none = np.zeros(0, np.int64)
    assert list_metrics.coverage(none, none.astype(bool)) == 0.0
    assert len(list_metrics.category_entropies(nothing, none, 0)) == 0
    assert list_metrics.intra_list_diversity(nothing, np.zeros((0, 2))) == 0.0
    assert list_metrics.personalisation(none, 0) == 0.0
    assert list_metrics.novelty(none, none, 0) == 0.0
    assert list_metrics.gini(none) == 0.0
    assert list_metrics.popularity_lift(none, none) == 0.0
    assert list_metrics.list_shares(none, 0, 10) == list_metrics.ListShares(0.0, 0.0, 0.0)
    assert list_metrics.category_breaches(nothing, none, 10, 3) == 0
