"""Geometry of the charts that ``templates/charts.html`` draws as SVG.

A chart is a frozen dataclass in the units of its view box; values that are absent leave a gap.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 320
_HEIGHT, _TOP, _BOTTOM, _SIDE = 110, 18, 22, 8
_ROW, _LABEL = 24, 110

Point = tuple[str, float | None]
Interval = tuple[str, float | None, float | None, float | None]


@dataclass(frozen=True)
class Mark:
    """A value of a chart, and where it stands."""

    x: float
    y: float
    label: str
    value: float


@dataclass(frozen=True)
class Trend:
    """A line over equal steps: its marks, the path of each unbroken stretch, and its range."""

    marks: tuple[Mark, ...]
    paths: tuple[str, ...]
    low: float | None
    high: float | None
    height: int = _HEIGHT


@dataclass(frozen=True)
class Row:
    """A row of a chart: `x` to `x + width` is its bar, `at` its middle."""

    label: str
    y: float
    x: float
    width: float
    at: float
    value: float | None


@dataclass(frozen=True)
class Rows:
    """Horizontal bars or intervals on one scale; `zero` is where 0 stands, if in range."""

    rows: tuple[Row, ...]
    height: int
    zero: float | None


def trend(points: Sequence[Point]) -> Trend:
    """Lay out a line, the oldest point on the left."""
    known = [value for _, value in points if value is not None]
    low, high = (min(known), max(known)) if known else (None, None)
    bottom, span = _scale(known)
    step = (WIDTH - 2 * _SIDE) / max(len(points) - 1, 1)
    marks: list[Mark] = []
    path: list[Mark] = []
    paths: list[list[Mark]] = []
    for at, (label, value) in enumerate(points):
        if value is None:
            paths, path = [*paths, path], []
            continue
        share = (value - bottom) / span
        x = _SIDE + at * step if len(points) > 1 else WIDTH / 2
        y = _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)
        marks.append(Mark(round(x, 1), round(y, 1), label, value))
        path.append(marks[-1])
    lines = tuple(" ".join(f"{m.x},{m.y}" for m in each) for each in [*paths, path] if each)
    return Trend(tuple(marks), lines, low, high)


def _scale(known: Sequence[float]) -> tuple[float, float]:
    """Return the lowest value of a line's scale and its span, at least a fiftieth of the values.

    So a figure that hardly moves looks like one.
    """
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    span = max(high - low, abs(high) / 50) or 1.0
    return low - (span - (high - low)) / 2, span


def bars(points: Sequence[Point]) -> Rows:
    """Lay out a bar for each point, from 0."""
    return intervals(
        [(label, 0 if value is not None else None, value, None) for label, value in points]
    )


def intervals(rows: Sequence[Interval]) -> Rows:
    """Lay out a low end, an estimate and a high end a row, on a scale that holds 0.

    A row without a high end is a bar from its low end to its estimate.
    """
    known = [value for _, *values in rows for value in values if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    scale = (WIDTH - _LABEL - _SIDE) / ((high - low) or 1)

    def x(value: float) -> float:
        return round(_LABEL + (value - low) * scale, 1)

    laid = []
    for number, (label, start, value, end) in enumerate(rows):
        ends = [each for each in (start, value if end is None else end) if each is not None]
        first, last = (min(ends), max(ends)) if ends else (0.0, 0.0)
        middle = x(value if value is not None else first)
        width = round(x(last) - x(first), 1)
        laid.append(Row(label, number * _ROW, x(first), width, middle, value))
    return Rows(tuple(laid), len(rows) * _ROW, x(0) if known else None)
