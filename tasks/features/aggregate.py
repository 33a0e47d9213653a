"""A night's sums over its rollups: who did what, how strongly, how often, since when."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from tasks.features._jit.aggregate import select, tally
from tasks.features.arrays import Ints, Longs
from tasks.features.rollup import Rolled, united
from tasks.features.totals import FAVOURITES, RECENT, Cells, Items, Night, Part, Users
from tasks.io.row_ranges import in_threads, pieces_of

#: Where nothing happened.
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Tally:
    """What users (`ids`, ascending) did with the items of the catalogue.

    Users whose events are all of days passed over are there too, with no event.
    """

    ids: pa.StringArray
    users: Users
    items: Items
    liked: Cells
    seen: Cells

    def matrix(self, cells: Cells) -> sp.csr_matrix:
        """Return what stands in `liked`, or in `seen`, of the model's users and items (float32).

        The model has the users who took to something, and the items that somebody took to. The
        cells become the matrix: they cannot be asked for twice.
        """
        items = self.items.taken
        item_at = np.where(items, np.cumsum(items, dtype=np.int32) - 1, -1).astype(np.int32)
        bounds = select(cells, self.users.taken, item_at)
        shape = len(bounds) - 1, int(items.sum())
        return sp.csr_matrix((cells.value[: bounds[-1]], cells.item[: bounds[-1]], bounds), shape)


def tally_up(
    older: Rolled, newer: Rolled, item_ids: pa.StringArray, kinds: Sequence[str], night: Night
) -> Tally:
    """Add up two rollups without a day in common tonight.

    `item_ids` are the catalogue, ascending; `kinds` are the event types of `night`'s kinds from 1
    on: every other type is kind 0.
    """
    ids, user_at = united([each.rollup.users for each in (older, newer)])
    known = item_ids, pa.array(kinds, pa.string())
    parts = (
        _part(older, user_at[0], len(ids), *known),
        _part(newer, user_at[1], len(ids), *known),
    )
    starts = parts[0].rows.start + parts[1].rows.start
    users, liked, seen = _users(len(ids)), _cells(starts), _cells(starts)
    pieces = pieces_of(starts)
    sums = [_items(len(item_ids)) for _ in pieces]

    def work(number: int) -> None:
        tally(*pieces[number], *parts, night, users, sums[number], liked, seen)

    in_threads(work, [(number,) for number in range(len(pieces))])
    return Tally(ids, users, _added(sums), liked, seen)


def _part(
    rolled: Rolled, user_at: Ints, n_users: int, item_ids: pa.StringArray, kinds: pa.StringArray
) -> Part:
    rollup, rows = rolled.rollup, rolled.rollup.rows
    first_day = min(rolled.days, default=0)
    day_at = np.full(max(rolled.days, default=0) - first_day + 1, -1, np.int32)
    for day, number in rolled.days.items():
        day_at[day - first_day] = number
    return Part(
        rows=rows._replace(
            start=_spread(rows.start, user_at, n_users),
            extra_start=_spread(rows.extra_start, user_at, n_users),
        ),
        item_at=_places(rollup.items, item_ids),
        kind_at=_places(rollup.types, kinds) + np.int32(1),
        day_at=day_at,
        first_day=first_day,
    )


def _spread(start: Longs, at: Ints, n: int) -> Longs:
    """Return where the rows of `n` users start, those of user u being those of `at[u]` now."""
    bounds = np.zeros(n + 1, np.int64)
    bounds[at + 1] = np.diff(start)
    return np.cumsum(bounds)


def _places(texts: pa.StringArray, among: pa.StringArray) -> Ints:
    """Return where each text stands, -1 where it does not."""
    places = pc.fill_null(pc.index_in(texts, among), -1)
    return np.array(places, np.int32)


def _users(n: int) -> Users:
    return Users(
        events=np.zeros(n, np.int64),
        purchases=np.zeros(n, np.int64),
        ratings=np.zeros(n, np.int64),
        rated_high=np.zeros(n, np.int64),
        rated_low=np.zeros(n, np.int64),
        first_us=np.full(n, NEVER),
        last_us=np.full(n, -NEVER),
        weight=np.zeros(n),
        taken=np.zeros(n, np.bool_),
        favourites=np.full((n, FAVOURITES), -1, np.int32),
        recent=np.full((n, RECENT), -1, np.int32),
    )


def _items(n: int) -> Items:
    return Items(
        ratings=np.zeros(n, np.int64),
        rated_high=np.zeros(n, np.int64),
        rated_low=np.zeros(n, np.int64),
        points_high=np.zeros(n, np.int64),
        points_low=np.zeros(n, np.int64),
        first_us=np.full(n, NEVER),
        taken=np.zeros(n, np.bool_),
    )


def _added(sums: Sequence[Items]) -> Items:
    """Add up what the pieces found of the items."""
    total = sums[0]
    for other in sums[1:]:
        for name in ("ratings", "rated_high", "rated_low", "points_high", "points_low"):
            getattr(total, name)[:] += getattr(other, name)
        np.minimum(total.first_us, other.first_us, out=total.first_us)
        np.logical_or(total.taken, other.taken, out=total.taken)
    return total


def _cells(starts: Longs) -> Cells:
    """Return room for as many cells a user as the user has rows."""
    return Cells(
        start=starts[:-1].copy(),
        n=np.zeros(len(starts) - 1, np.int64),
        item=np.empty(starts[-1], np.int32),
        value=np.empty(starts[-1], np.float32),
    )
