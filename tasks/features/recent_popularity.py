"""Recent popularity: decayed points of each item, of all users and of each user segment.

An event counts its weight, halved every `half_life_days` by whole UTC days, as in the features; the
half-life is a setting of its own, as what is popular passes sooner than what a user likes.

A segment's own points are few, so they are shrunk to those of all users (the positive-part
James-Stein estimator, an empirical Bayes rule):

    score = a * segment + (1 - a) * share * all,    a = max(0, 1 - noise / difference)

`share` is the segment's share of all points, `difference` the squared distance, summed over items,
between its points and `share * all`, and `noise` the part of that which users who differ by chance
alone would give: (1 - share)^2 * (squares of the segment) + share^2 * (squares of the others). So a
segment of few users has the order of all, and a large one that differs has its own.
"""

from collections.abc import Iterator
from datetime import datetime

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.io.columns import ITEM_ID, SEGMENT, positions_of
from tasks.io.duckdb_session import query

Points = npt.NDArray[np.float64]


def recent_popularity(
    db: duckdb.DuckDBPyConnection, item_ids: pa.StringArray, as_of: datetime, half_life_days: float
) -> Points:
    """Return the decayed points of each of the `item_ids` (items,), 0 at least, in their order.

    `db` has the views of `open_log`; none of its events may be later than `as_of`. A unit is an
    event of weight 1 of today. Events of other items are left out.
    """
    rows = _rows(db, "recent_popularity", as_of, half_life_days)
    return np.maximum(_summed(rows, item_ids), 0)


def segment_popularity(
    db: duckdb.DuckDBPyConnection, item_ids: pa.StringArray, as_of: datetime, half_life_days: float
) -> Iterator[tuple[str, Points]]:
    """Yield the name of each segment, ascending, and its points of the `item_ids`, shrunk.

    Takes what `recent_popularity` takes. A segment whose users have no event is left out.
    """
    if not db.execute("SELECT 1 FROM users WHERE segment IS NOT NULL LIMIT 1").fetchall():
        return  # the query would read the whole log
    rows = _rows(db, "segment_popularity", as_of, half_life_days)
    named = rows.column(SEGMENT).combine_chunks().dictionary_encode()
    starts = np.searchsorted(named.indices.drop_null().to_numpy(), range(len(named.dictionary) + 1))
    everybody, squares = _summed(rows, item_ids), rows["squares"].to_numpy()
    for name, start, stop in zip(named.dictionary.to_pylist(), starts, starts[1:], strict=False):
        points = _summed(rows.slice(start, stop - start), item_ids)
        of_segment = float(squares[start:stop].sum())
        yield name, shrunk(points, of_segment, everybody, float(squares.sum()))


def shrunk(points: Points, squares: float, everybody: Points, all_squares: float) -> Points:
    """Shrink a segment's points (items,) to those of everybody (items,), the segment included.

    `squares` and `all_squares` are the sums of squares of the points of each user and item. The
    result is 0 at least.
    """
    total = float(everybody.sum())
    if total <= 0:
        return np.maximum(points, 0)
    share = float(points.sum()) / total
    expected = share * everybody
    difference = float(np.sum((points - expected) ** 2))
    noise = (1 - share) ** 2 * squares + share**2 * (all_squares - squares)
    own = max(0.0, 1 - noise / difference) if difference else 0.0
    return np.maximum(own * points + (1 - own) * expected, 0)


def _rows(
    db: duckdb.DuckDBPyConnection, name: str, as_of: datetime, half_life_days: float
) -> pa.Table:
    parameters = {"as_of": as_of, "half_life_days": half_life_days}
    return db.sql(query(f"features/{name}"), params=parameters).to_arrow_table()


def _summed(rows: pa.Table, item_ids: pa.StringArray) -> Points:
    """Add up the points of each of the `item_ids`, in the order of the rows."""
    positions = positions_of(rows.column(ITEM_ID).combine_chunks(), item_ids)
    known = positions >= 0
    points = rows.column("points").to_numpy()[known]
    return np.asarray(np.bincount(positions[known], points, len(item_ids)), np.float64)
