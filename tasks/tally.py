"""A night's sums over its rollups: who did what, how strongly, how often, since when."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from tasks.kernel_tally import count_rows, runs_of, select, tally
from tasks.rollup import Rolled
from tasks.tally_types import (
    FAVOURITES,
    RECENT,
    Cells,
    Ints,
    Items,
    Longs,
    Night,
    Part,
    Users,
)

#: Where nothing happened.
NEVER = np.iinfo(np.int64).max
#: Pieces of work a core, so that all cores are done at about the same time.
_PIECES = 4


@dataclass(frozen=True)
class Tally:
    """What users (`ids`, ascending) did with the items of the catalogue.

    Users whose events are all of days passed over are there too, with no event.
    """

    ids: pa.StringArray
    users: Users
    items: Items
    cells: Cells

    def matrix(self, *, seen: bool) -> sp.csr_matrix:
        """Return strengths, or 1 for what was seen, of the model's users and items (float32).

        The model has the users who took to something, and the items that somebody took to.
        """
        users, items = np.flatnonzero(self.users.taken), np.flatnonzero(self.items.taken)
        item_at = np.full(len(self.items.taken), -1, np.int32)
        item_at[items] = np.arange(len(items))
        bounds = np.zeros(len(users) + 1, np.int64)
        pieces = _pieces(np.arange(len(bounds)))
        indices, data = np.empty(0, np.int32), np.empty(0, np.float32)

        def rows(first: int, last: int, *, fill: bool) -> None:
            select(first, last, self.cells, users, item_at, seen, fill, bounds, indices, data)

        _in_threads(lambda first, last: rows(first, last, fill=False), pieces)
        np.cumsum(bounds, out=bounds)
        indices, data = np.empty(bounds[-1], np.int32), np.empty(bounds[-1], np.float32)
        _in_threads(lambda first, last: rows(first, last, fill=True), pieces)
        return sp.csr_matrix((data, indices, bounds), shape=(len(users), len(items)))


def tally_up(
    older: Rolled, newer: Rolled, item_ids: pa.StringArray, kinds: Sequence[str], night: Night
) -> Tally:
    """Add up two rollups without a day in common tonight.

    `item_ids` are the catalogue, ascending; `kinds` are the event types of `night`'s kinds from 1
    on: every other type is kind 0.
    """
    ids = pa.concat_arrays([_ids(each, "user_id") for each in (older, newer)]).unique()
    ids = ids.take(pc.sort_indices(ids))
    known = ids, item_ids, pa.array(kinds, pa.string())
    parts = _part(older, *known), _part(newer, *known)
    counts = np.zeros(len(ids) + 1, np.int64)
    for part in parts:
        count_rows(part, counts[1:])
    starts = np.cumsum(counts)
    users, cells = _users(len(ids)), _cells(starts)
    pieces = _pieces(starts)
    sums = [_items(len(item_ids)) for _ in pieces]

    def work(number: int) -> None:
        tally(*pieces[number], *parts, night, users, sums[number], cells)

    _in_threads(work, [(number,) for number in range(len(pieces))])
    return Tally(ids, users, _added(sums), cells)


def _part(
    rolled: Rolled, user_ids: pa.StringArray, item_ids: pa.StringArray, kinds: pa.StringArray
) -> Part:
    table = rolled.table
    place = _places(_ids(rolled, "user_id"), user_ids)
    runs, start, stop = runs_of(_numbers(table, "user_id"), place, len(user_ids))
    first_day = min(rolled.days, default=0)
    day_at = np.full(max(rolled.days, default=0) - first_day + 1, -1, np.int32)
    for day, number in rolled.days.items():
        day_at[day - first_day] = number
    return Part(
        item=_numbers(table, "item_id"),
        type=_numbers(table, "event_type"),
        day=_numbers(table, "day"),
        events=_numbers(table, "events"),
        first_us=_numbers(table, "first_ts"),
        last_us=_numbers(table, "last_ts"),
        valued=_numbers(table, "valued"),
        millionths=_numbers(table, "millionths"),
        item_at=_places(_ids(rolled, "item_id"), item_ids),
        kind_at=_places(_ids(rolled, "event_type"), kinds) + np.int32(1),
        day_at=day_at,
        first_day=first_day,
        runs=runs,
        start=start,
        stop=stop,
    )


def _ids(rolled: Rolled, column: str) -> pa.StringArray:
    """Return the texts that a column's numbers name."""
    texts: pa.StringArray = rolled.table.column(column).chunk(0).dictionary
    return texts


def _numbers(table: pa.Table, name: str) -> npt.NDArray[Any]:
    """Return a column without a copy, as numbers that nobody can change."""
    column = table.column(name).chunk(0)
    if pa.types.is_dictionary(column.type):
        column = column.indices
    elif pa.types.is_temporal(column.type):
        column = column.view(pa.int32() if pa.types.is_date(column.type) else pa.int64())
    numbers: npt.NDArray[Any] = column.to_numpy()
    numbers.flags.writeable = False
    return numbers


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
    n = starts[-1]
    return Cells(
        start=starts[:-1],
        n=np.zeros(len(starts) - 1, np.int64),
        item=np.empty(n, np.int32),
        strength=np.empty(n, np.float32),
        seen=np.empty(n, np.bool_),
    )


def _pieces(bounds: Longs) -> list[tuple[int, int]]:
    """Cut rows into pieces that are alike in size; row r is from `bounds[r]` to `bounds[r + 1]`."""
    n = _PIECES * (os.cpu_count() or 1)
    cuts = np.searchsorted(bounds, np.linspace(0, bounds[-1], n + 1)[1:-1])
    ends = [0, *np.unique(cuts).tolist(), len(bounds) - 1]
    return list(pairwise(ends))


def _in_threads(work: Callable[..., None], pieces: Sequence[tuple[int, ...]]) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda piece: work(*piece), pieces))
