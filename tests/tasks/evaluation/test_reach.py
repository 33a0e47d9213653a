"""Lengths of lists against their definition, candidates and users counted in planted nights."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluation.gates import figures
from tasks.evaluation.measure import Metrics, measure
from tasks.evaluation.reach import count_in_log, lengths_of
from tasks.io.parquet import write_table
from tasks.recommend.settings import TopNSettings
from tests.tasks.report_night import AS_OF, make_night

CATALOGUE: dict[str, tuple[str | None, bool]] = {
    "a": ("books", True),
    "b": ("books", True),
    "c": ("mugs", True),
    "d": ("mugs", False),
    "new": ("mugs", True),  # has no event, and so no factors: no list can show it
}
HISTORY = {"u1": ["a"], "u2": ["a", "b"], "u3": ["c", "d"], "u4": ["b"]}


def measured(root: Path, lists: dict[str, list[str]]) -> Metrics:
    night = make_night(root, catalogue=CATALOGUE, history=HISTORY, lists=lists, only_in_file=3)
    listing = TopNSettings(n=2, page_size=2, max_per_category=1)
    return measure(night.run, night.made, listing)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12))), st.integers(1, 9))
def test_lengths_are_as_defined(lists: list[tuple[int, int]], n: int) -> None:
    pairs = [(min(length, more, n), more) for length, more in lists]
    lengths, candidates = (np.array([pair[at] for pair in pairs], np.int64) for at in (0, 1))
    found = lengths_of(lengths, candidates, n)
    own = [(length, more) for length, more in pairs if length]
    if not own:
        assert (found.longest, found.filled, found.full_of_fillable) == (0, None, None)
        return
    ordered = sorted(length for length, _ in own)
    assert (found.shortest, found.longest) == (ordered[0], ordered[-1])
    assert found.median == ordered[(len(ordered) - 1) // 2]
    could = [length == n for length, more in own if more >= n]
    assert found.n_fillable == len(could)
    assert found.full_of_fillable == (pytest.approx(sum(could) / len(could)) if could else None)
    places = [length / min(n, more) for length, more in own]
    assert found.filled == pytest.approx(sum(places) / len(places))


def test_candidates_are_what_a_walk_could_name(tmp_path: Path) -> None:
    """Of a, b and c, u1 has two left, u2 one, u3 two and a stranger all three."""
    lists = {"u1": ["b", "c"], "u2": ["c"], "u3": ["a"], "stranger": ["a", "c"]}
    found = measured(tmp_path, lists)
    assert (found.shortest_list, found.median_list, found.n_places) == (1, 1, 6)
    assert found.n_fillable == 3
    assert found.full_of_fillable == pytest.approx(2 / 3)
    assert found.filled_share == pytest.approx((1 + 1 + 1 / 2 + 1) / 4)
    assert found.n_in_log == 4


def test_shares_are_of_who_and_what_could_be(tmp_path: Path) -> None:
    """Three users have no event and are not asked for; two places show two items at most."""
    night = make_night(
        tmp_path, catalogue=CATALOGUE, history=HISTORY, lists={"u1": ["b", "c"]}, only_in_file=3
    )
    listing = TopNSettings(n=2)
    metrics = measure(night.run, night.made, listing)
    found = figures(night.clean, night.features, metrics, None)
    assert found["own_share"] == 1 / 4
    assert (found["coverage"], found["coverage_of_possible"]) == (2 / 4, 1.0)


def test_a_night_without_lists_has_no_lengths(tmp_path: Path) -> None:
    found = measured(tmp_path, {})
    assert (found.shortest_list, found.median_list, found.n_fillable) == (0, 0, 0)
    assert (found.full_of_fillable, found.filled_share) == (None, None)


def test_who_is_inactive_is_not_asked_for(tmp_path: Path) -> None:
    until = AS_OF.replace(tzinfo=None)
    seen = [until - timedelta(days=days) for days in (0, 7, 8)]
    path = tmp_path / "users.parquet"
    write_table(path, pa.table({"last_seen": pa.array([*seen, None], pa.timestamp("us"))}))
    assert [count_in_log(path, AS_OF, days) for days in (None, 7, 8)] == [3, 2, 3]
