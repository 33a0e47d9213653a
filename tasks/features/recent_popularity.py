"""Recent popularity: decayed points of each item, of all users and of each user segment.

An event counts its weight, halved every `half_life_days` by whole UTC days, as in the features; the
half-life is a setting of its own, as what is popular passes sooner than what a user likes.

A segment's own points are few, so they are shrunk to those of all users (the positive-part
James-Stein estimator, an empirical Bayes rule):

    score = a * segment + (1 - a) * share * all,    a = max(0, 1 - noise / difference)

`share` is the segment's share of all points, `difference` the squared distance, summed over items,
between its points and `share * all`, and `noise` the part of that which users who differ by chance
alone would give: (1 - share)^2 * (squares of the segment) + share^2 * (squares of the others). So a
segment of few users has the order of all, and a large one that differs has its own. A large log's
squares are estimated from a part of its users: no order hangs on their last digits.
"""

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.io.columns import ITEM_ID, SEGMENT, positions_of
from tasks.io.duckdb_session import Relations, query

Points = npt.NDArray[np.float64]
#: Events that the squares are summed over at least, where the log has so many.
_SQUARED_EVENTS = 1_000_000


def recent_popularity(
    db: Relations, item_ids: pa.StringArray, as_of: datetime, half_life_days: float
) -> Points:
    """Return the decayed points of each of the `item_ids` (items,), 0 at least, in their order.

    `db` has the views of `open_log`; none of its events may be later than `as_of`. A unit is an
    event of weight 1 of today. Events of other items are left out.
    """
    rows = _rows(db, "recent_popularity", as_of, half_life_days)
    return np.maximum(_summed(rows, item_ids), 0)


def segment_popularity(
    db: Relations, item_ids: pa.StringArray, as_of: datetime, half_life_days: float
) -> Iterator[tuple[str, Points]]:
    """Yield the name of each segment, ascending, and its points of the `item_ids`, shrunk.

    Takes what `recent_popularity` takes. A segment whose users have no event is left out.
    """
    if not db.execute("SELECT 1 FROM users WHERE segment IS NOT NULL LIMIT 1").fetchall():
        return  # the query would read the whole log
    rows = _rows(db, "segment_popularity", as_of, half_life_days)
    squares = _squares(db, as_of, half_life_days)
    named = rows.column(SEGMENT).combine_chunks().dictionary_encode()
    starts = np.searchsorted(named.indices.drop_null().to_numpy(), range(len(named.dictionary) + 1))
    everybody, all_squares = _summed(rows, item_ids), sum(squares.values())
    for name, start, stop in zip(named.dictionary.to_pylist(), starts, starts[1:], strict=False):
        points = _summed(rows.slice(start, stop - start), item_ids)
        yield name, shrunk(points, squares.get(name, 0.0), everybody, all_squares)


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


def _squares(db: Relations, as_of: datetime, half_life_days: float) -> dict[str | None, float]:
    """Return the sum of squares of each segment's users, or its estimate; None: of no segment."""
    ((n_events,),) = db.execute("SELECT count(*) FROM events").fetchall()
    n_th = max(1, n_events // _SQUARED_EVENTS)
    rows = _rows(db, "segment_squares", as_of, half_life_days, n_th=n_th)
    return dict(zip(rows[SEGMENT].to_pylist(), rows["squares"].to_pylist(), strict=True))


def _rows(
    db: Relations, name: str, as_of: datetime, half_life_days: float, **more: int
) -> pa.Table:
    parameters = {"as_of": as_of, "half_life_days": half_life_days, **more}
    return db.sql(query(f"features/{name}"), params=parameters).to_arrow_table()


def _summed(rows: pa.Table, item_ids: pa.StringArray) -> Points:
    """Add up the points of each of the `item_ids`, in the order of the rows."""
    positions = positions_of(rows.column(ITEM_ID).combine_chunks(), item_ids)
    known = positions >= 0
    points = rows.column("points").to_numpy()[known]
    return np.asarray(np.bincount(positions[known], points, len(item_ids)), np.float64)
