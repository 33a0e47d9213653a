"""A night's totals over its rollups: which users took which items, how strongly, how often."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from tasks.features._jit.aggregate import aggregate_users, select
from tasks.features.arrays import (
    Cells,
    EventRules,
    Ints,
    Items,
    Longs,
    Part,
    Users,
)
from tasks.features.lengths import FAVOURITES, RECENT
from tasks.features.rollup import DatedRollup, united
from tasks.io.columns import positions_of
from tasks.io.jit import Flags
from tasks.io.parallel import in_threads, row_ranges

#: First event of a user or an item that has none.
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Totals:
    """Totals of users (`ids`, ascending), of the catalogue's items, and of both together.

    Users all of whose events are of days left out are there too, with no event.
    """

    ids: pa.StringArray
    users: Users
    items: Items
    liked: Cells
    seen: Cells

    def matrices(self, cells: Cells, items: Flags) -> tuple[sp.csr_matrix, ...]:
        """Return `liked`, once more as `recent`, or `seen`, of the model's users and some items.

        Values are float32. The model has the users who took an item. The cells' memory becomes the
        matrix: call it once.
        """
        item_at = np.where(items, np.cumsum(items, dtype=np.int32) - 1, -1).astype(np.int32)
        bounds = select(cells, self.users.taken, item_at)
        shape = len(bounds) - 1, int(items.sum())
        return tuple(
            sp.csr_matrix((values[: bounds[-1]], cells.item[: bounds[-1]], bounds), shape)
            for values in (cells.value, cells.recent)
            if len(values) >= bounds[-1]
        )


def aggregate(
    older: DatedRollup,
    newer: DatedRollup,
    item_ids: pa.StringArray,
    kinds: Sequence[str],
    rules: EventRules,
) -> Totals:
    """Add up two rollups that share no day of tonight.

    `item_ids` are the catalogue, ascending; `kinds` are the event types of the kinds from 1 on:
    every other type is kind 0.
    """
    ids, user_at = united([each.rollup.users for each in (older, newer)])
    known = item_ids, pa.array(kinds, pa.string())
    parts = (
        _part(older, user_at[0], len(ids), *known),
        _part(newer, user_at[1], len(ids), *known),
    )
    starts = parts[0].rows.start + parts[1].rows.start
    users = no_users(len(ids))
    liked, seen = no_cells(starts, n_recent=starts[-1]), no_cells(starts, n_recent=0)
    ranges = row_ranges(starts)
    items = [_no_items(len(item_ids)) for _ in ranges]

    def work(number: int) -> None:
        aggregate_users(*ranges[number], *parts, rules, users, items[number], liked, seen)

    in_threads(work, [(number,) for number in range(len(ranges))])
    return Totals(ids, users, sum_of_items(items), liked, seen)


def _part(
    dated: DatedRollup, user_at: Ints, n_users: int, item_ids: pa.StringArray, kinds: pa.StringArray
) -> Part:
    rollup, rows = dated.rollup, dated.rollup.rows
    first_day = min(dated.days, default=0)
    day_at = np.full(max(dated.days, default=0) - first_day + 1, -1, np.int32)
    for day, number in dated.days.items():
        day_at[day - first_day] = number
    return Part(
        rows=rows._replace(
            start=_bounds_of(rows.start, user_at, n_users),
            extra_start=_bounds_of(rows.extra_start, user_at, n_users),
        ),
        item_at=positions_of(rollup.items, item_ids),
        kind_at=positions_of(rollup.types, kinds) + np.int32(1),
        day_at=day_at,
        first_day=first_day,
    )


def _bounds_of(start: Longs, at: Ints, n: int) -> Longs:
    """Return the bounds of the rows of `n` users, of whom user `at[u]` has the rows of user u."""
    bounds = np.zeros(n + 1, np.int64)
    bounds[at + 1] = np.diff(start)
    return np.cumsum(bounds)


def no_users(n: int) -> Users:
    """Return the totals of `n` users without an event."""
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


def _no_items(n: int) -> Items:
    return Items(
        ratings=np.zeros(n, np.int64),
        rated_high=np.zeros(n, np.int64),
        rated_low=np.zeros(n, np.int64),
        points_high=np.zeros(n, np.int64),
        points_low=np.zeros(n, np.int64),
        first_us=np.full(n, NEVER),
        taken=np.zeros(n, np.bool_),
    )


def sum_of_items(parts: Sequence[Items]) -> Items:
    """Add up totals of items, of different users, into the first."""
    total = parts[0]
    for other in parts[1:]:
        for name in ("ratings", "rated_high", "rated_low", "points_high", "points_low"):
            getattr(total, name)[:] += getattr(other, name)
        np.minimum(total.first_us, other.first_us, out=total.first_us)
        np.logical_or(total.taken, other.taken, out=total.taken)
    return total


def no_cells(starts: Longs, *, n_recent: int) -> Cells:
    """Return room for as many cells a user as the user has rows."""
    return Cells(
        start=starts[:-1].copy(),
        n=np.zeros(len(starts) - 1, np.int64),
        item=np.empty(starts[-1], np.int32),
        value=np.empty(starts[-1], np.float32),
        recent=np.empty(n_recent, np.float32),
    )
