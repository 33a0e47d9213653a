"""Overlap of lists, against definitions over sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.overlap import jaccard, rank_biased_overlap

DEPTH = 8
LISTS = st.lists(st.integers(0, 12), max_size=DEPTH, unique=True)


def rows(*lists: list[int]) -> np.ndarray:
    return np.array([[*one, *[-1] * (DEPTH - len(one))] for one in lists], np.int64)


@given(LISTS, LISTS)
def test_jaccard_is_shared_over_all(ours: list[int], theirs: list[int]) -> None:
    either = set(ours) | set(theirs)
    expected = len(set(ours) & set(theirs)) / len(either) if either else 1.0
    assert jaccard(rows(ours), rows(theirs))[0] == pytest.approx(expected)


@given(LISTS, LISTS, st.floats(0.1, 0.99))
def test_rank_biased_overlap_is_the_papers_sum(
    ours: list[int], theirs: list[int], p: float
) -> None:
    shared = [len(set(ours[:d]) & set(theirs[:d])) for d in range(1, DEPTH + 1)]
    expected = shared[-1] / DEPTH * p**DEPTH
    expected += (1 - p) / p * sum(x / d * p**d for d, x in enumerate(shared, start=1))
    found = rank_biased_overlap(rows(ours), rows(theirs), p)[0]
    assert found == pytest.approx(expected)
    assert found == pytest.approx(rank_biased_overlap(rows(theirs), rows(ours), p)[0])


def test_the_ends_of_the_scale() -> None:
    one, other = list(range(DEPTH)), list(range(20, 20 + DEPTH))
    assert rank_biased_overlap(rows(one), rows(one))[0] == pytest.approx(1.0)
    assert rank_biased_overlap(rows(one), rows(other))[0] == 0.0
    early = rank_biased_overlap(rows(one), rows([0, *other[1:]]))[0]
    late = rank_biased_overlap(rows(one), rows([*other[:-1], DEPTH - 1]))[0]
    assert early > late > 0, "agreement at the top weighs more"
