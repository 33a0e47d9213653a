"""Geometry of charts, against definitions written another way."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshelf.service.console import charts

VALUES = st.floats(-1e9, 1e9).map(lambda value: round(value, 6))


@given(st.lists(st.one_of(st.none(), VALUES), max_size=30))
def test_a_line_rises_where_its_values_do(values: list[float | None]) -> None:
    drawn = charts.trend([(str(at), value) for at, value in enumerate(values)])
    assert [mark.value for mark in drawn.marks] == [v for v in values if v is not None]
    for one, other in pairwise(drawn.marks):
        assert one.x < other.x
        assert (other.y - one.y) * (other.value - one.value) <= 0, "y grows downwards"
    for mark in drawn.marks:
        assert 0 <= mark.x <= charts.WIDTH and 0 <= mark.y <= drawn.height


def test_a_gap_breaks_the_line() -> None:
    points = [("1", 1.0), ("2", None), ("3", 3.0), ("4", 4.0)]
    assert [path.count(",") for path in charts.trend(points).paths] == [1, 2]


def test_a_figure_that_hardly_moves_looks_like_one() -> None:
    flat = charts.trend([("1", 0.7257), ("2", 0.7256)]).marks
    steep = charts.trend([("1", 0.7), ("2", 0.5)]).marks
    assert abs(flat[0].y - flat[1].y) < 1 < 50 < abs(steep[0].y - steep[1].y)


@given(st.lists(VALUES, min_size=1, max_size=20))
def test_bars_begin_at_zero_and_are_as_long_as_their_values(values: list[float]) -> None:
    drawn = charts.bars([(str(at), value) for at, value in enumerate(values)])
    longest = max(map(abs, values))
    for row, value in zip(drawn.rows, values, strict=True):
        assert row.x == drawn.zero or row.x + row.width == pytest.approx(drawn.zero)
        if longest:
            widest = max(each.width for each in drawn.rows)
            assert row.width == pytest.approx(widest * abs(value) / longest, abs=0.3)


def test_an_interval_holds_its_estimate() -> None:
    row = charts.intervals([("lift", -0.1, 0.2, 0.5)]).rows[0]
    assert row.x < row.at < row.x + row.width
    assert charts.intervals([("lift", None, None, None)]).rows[0].value is None
