"""Ranking figures against their definitions in plain Python, and cases with known answers."""

import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.evaluation.ranking_metrics import (
    Hits,
    Ints,
    at_depth,
    hit_rate,
    ndcg,
    recall,
    reciprocal_rank,
)

Id = TypeVar("Id", int, str)

#: A list of items, best first, and the items that are relevant.
Case = tuple[list[int], set[int]]

cases = st.lists(
    st.tuples(
        st.lists(st.integers(0, 15), max_size=8, unique=True),
        st.sets(st.integers(0, 15), min_size=1, max_size=14),
    ),
    min_size=1,
    max_size=6,
)


def arrays(found: Sequence[Case]) -> tuple[Hits, Ints]:
    width = max(len(shown) for shown, _ in found)
    hits = np.zeros((len(found), width), np.bool_)
    for row, (shown, relevant) in enumerate(found):
        hits[row, : len(shown)] = [item in relevant for item in shown]
    return hits, np.array([len(relevant) for _, relevant in found], np.int64)


def gain(places: Iterable[int]) -> float:
    """Discount by the natural logarithm: its base cancels out in the ratio."""
    return math.fsum(1 / math.log(1 + place) for place in places)


def defined(shown: Sequence[Id], relevant: set[Id], k: int) -> dict[str, float]:
    """Return every figure of one list by its definition over sets of items."""
    top = shown[:k]
    places = [top.index(item) + 1 for item in relevant if item in top]
    return {
        "ndcg": gain(places) / gain(range(1, min(len(relevant), k) + 1)),
        "recall": len(relevant & set(top)) / len(relevant),
        "hit_rate": float(bool(relevant & set(top))),
        "reciprocal_rank": max((1 / place for place in places), default=0.0),
        "average_precision": math.fsum(len(relevant & set(top[:place])) / place for place in places)
        / len(relevant),
    }


@given(cases, st.integers(1, 12))
def test_every_figure_is_as_defined(found: list[Case], k: int) -> None:
    got = at_depth(*arrays(found), k)
    for row, (shown, relevant) in enumerate(found):
        expected = defined(shown, relevant, k)
        assert {name: figures[row] for name, figures in got.items()} == pytest.approx(expected)


#: The same measures of ir-measures, which hands them to trec_eval.
IR_MEASURES = {
    "ndcg": ir_measures.nDCG,
    "recall": ir_measures.R,
    "hit_rate": ir_measures.Success,
    "reciprocal_rank": ir_measures.RR,
    "average_precision": ir_measures.AP,
}


@given(cases, st.integers(1, 12))
@settings(max_examples=50)
def test_every_figure_agrees_with_ir_measures(found: list[Case], k: int) -> None:
    got = at_depth(*arrays(found), k)
    assert got.keys() == IR_MEASURES.keys()
    relevant = {
        str(row): {str(item): 1 for item in relevant} for row, (_, relevant) in enumerate(found)
    }
    shown = {
        str(row): {str(item): -float(place) for place, item in enumerate(shown)}
        for row, (shown, _) in enumerate(found)
    }
    for name, measure in IR_MEASURES.items():
        by_user = dict.fromkeys(relevant, 0.0)  # a user without a list is not among the results
        by_user |= {
            each.query_id: each.value
            for each in ir_measures.iter_calc([measure @ k], relevant, shown)
        }
        expected = [by_user[str(row)] for row in range(len(found))]
        assert got[name].tolist() == pytest.approx(expected), name


@given(cases, st.integers(1, 12))
def test_figures_lie_between_0_and_1_and_1_is_kept_for_the_best_list(
    found: list[Case], k: int
) -> None:
    hits, n_relevant = arrays(found)
    for figures in at_depth(hits, n_relevant, k).values():
        assert ((figures >= 0) & (figures <= 1)).all()
    best = [all(i in relevant for i in shown[: len(relevant)][:k]) for shown, relevant in found]
    long = [len(shown) >= min(len(relevant), k) for shown, relevant in found]
    assert (ndcg(hits, n_relevant, k) == 1).tolist() == (np.array(best) & long).tolist()


def test_known_answers() -> None:
    hits = np.array([[True, False, True], [False, False, False], [True, True, True]])
    n_relevant = np.array([3, 1, 9])
    # (1 + 1/2) / (1 + 1/log2(3) + 1/2)
    assert ndcg(hits, n_relevant, 3).tolist() == pytest.approx([0.703918, 0.0, 1.0], abs=1e-6)
    assert ndcg(hits, n_relevant, 1).tolist() == [1.0, 0.0, 1.0]
    assert recall(hits, n_relevant, 3).tolist() == pytest.approx([2 / 3, 0, 1 / 3])
    assert hit_rate(hits, 3).tolist() == [1.0, 0.0, 1.0]
    assert reciprocal_rank(hits[:, 1:], 2).tolist() == [0.5, 0.0, 1.0]


def test_what_stands_below_k_does_not_count() -> None:
    hits, n_relevant = np.array([[False, False, True]]), np.array([1])
    assert [figures.tolist() for figures in at_depth(hits, n_relevant, 2).values()] == [[0.0]] * 5


def test_places_that_a_list_does_not_have_are_no_hits() -> None:
    found = at_depth(np.zeros((2, 0), np.bool_), np.array([1, 2]), 10)
    assert [figures.tolist() for figures in found.values()] == [[0.0, 0.0]] * 5
