"""Distances and histograms: by hand, by definition, and what must not change them."""

from math import log, log2, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluation.drift import histograms
from tasks.evaluation.drift.distance import FLOOR, js_distance, psi_terms, shares

MASSES = st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 1_000), min_size=1)


def distances(first: dict[str, float], second: dict[str, float]) -> tuple[float, float]:
    _, now, before = shares(first, second)
    return float(psi_terms(now, before).sum()), js_distance(now, before)


def by_definition(p: list[float], q: list[float]) -> tuple[float, float]:
    """Return both distances from plain sums, without numpy and scipy."""
    floored = [(max(a, FLOOR), max(b, FLOOR)) for a, b in zip(p, q, strict=True)]
    psi = sum((a - b) * log(a / b) for a, b in floored)
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    js = sum(a * log2(a / m) for each in (p, q) for a, m in zip(each, middle, strict=True) if a)
    return psi, sqrt(max(js, 0.0) / 2)


def test_figures_by_hand() -> None:
    psi, js = distances({"a": 60.0, "b": 40.0}, {"a": 5.0, "b": 5.0})
    assert psi == pytest.approx(0.1 * log(1.2) - 0.1 * log(0.8))
    middle = (0.6 * log2(0.6 / 0.55) + 0.4 * log2(0.4 / 0.45)) / 2
    middle += (0.5 * log2(0.5 / 0.55) + 0.5 * log2(0.5 / 0.45)) / 2
    assert js == pytest.approx(sqrt(middle))


def test_a_bin_that_vanishes_counts_and_is_not_infinite() -> None:
    psi, js = distances({"a": 1.0}, {"a": 0.5, "b": 0.5})
    assert psi == pytest.approx(0.5 * log(2) + (0.5 - FLOOR) * log(0.5 / FLOOR))
    assert 0 < js < 1
    assert distances({"a": 1.0}, {"b": 1.0})[1] == 1.0


def test_a_histogram_without_mass_is_refused() -> None:
    with pytest.raises(ValueError, match="without mass"):
        shares({"a": 0.0}, {"a": 1.0})


@given(MASSES, MASSES)
def test_distances_are_as_defined_symmetric_and_blind_to_order_and_size(
    first: dict[str, float], second: dict[str, float]
) -> None:
    found = distances(first, second)
    labels = [*"abcdefg"]
    p, q = ([each.get(x, 0.0) / sum(each.values()) for x in labels] for each in (first, second))
    assert found == pytest.approx(by_definition(p, q), abs=1e-7)
    assert found == pytest.approx(distances(second, first), abs=1e-9)
    backwards = dict(reversed(first.items()))
    assert found == pytest.approx(distances(backwards, second), abs=1e-9)
    doubled = {label: 2 * mass for label, mass in second.items()}
    assert found == pytest.approx(distances(first, doubled), abs=1e-9)
    assert found[0] >= 0
    assert 0 <= found[1] <= 1


@given(MASSES)
def test_equal_histograms_have_no_distance(same: dict[str, float]) -> None:
    assert distances(same, dict(same)) == (0.0, 0.0)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.randoms())
def test_bins_keep_the_mass_and_do_not_know_the_order(values: list[float], rng: object) -> None:
    found = histograms.of_numbers(np.array(values))
    assert sum(found.values()) == pytest.approx(len(values), abs=0.02)
    shuffled = np.array(sorted(values))
    assert histograms.of_numbers(shuffled) == pytest.approx(found, abs=0.002)


def test_a_value_between_two_bins_is_shared_by_its_logarithm() -> None:
    assert histograms.of_numbers(np.array([2])) == pytest.approx(
        {"0": 0, "1": 2 - log2(3), "3": log2(3) - 1}, abs=1e-3
    )


def test_a_catalogue_that_ages_by_a_day_moves_little_whatever_edge_it_crosses() -> None:
    for age in range(20, 200):
        before, now = (histograms.of_numbers(np.full(1_000, age + day)) for day in (0, 1))
        assert distances(now, before)[0] < 0.5, "all of it in another bin would be 18"
        assert distances(now, before)[1] < 0.2


def test_ranks_follow_the_shape_and_not_the_size() -> None:
    counts = np.arange(100, 300)
    same, _ = distances(histograms.of_ranks(3 * counts), histograms.of_ranks(counts[::-1]))
    assert same < 1e-6
    flooded = counts.copy()
    flooded[0] += counts.sum() // 4
    assert distances(histograms.of_ranks(flooded), histograms.of_ranks(counts))[0] > 0.25
