"""Plain arrays of rollups and of a night's totals, as compiled code takes them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.io.jit import Flags, Single

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

#: Sums of 64-bit numbers are held in two parts, so that none overflows 64 bits.
LOW_BITS = 32
LOW = (1 << LOW_BITS) - 1


class Rows(NamedTuple):
    """A rollup's rows, ordered by user and item; ids and types are numbers.

    User u's are those from `start[u]` to `start[u + 1]`. A row is one event without a value, at
    `last_us` (microseconds UTC since 1970), unless `row` (ascending) names it: `row[n]` is then
    `events[n]` events since `first_us[n]`, of which `valued[n]` have a value; `millionths[n]` is
    the sum of the values. User u's n are those from `extra_start[u]` to `extra_start[u + 1]`.
    """

    start: Longs
    item: Ints
    type: Ints
    last_us: Longs
    extra_start: Longs
    row: Longs
    events: Ints
    first_us: Longs
    valued: Ints
    millionths: Longs


class Part(NamedTuple):
    """A rollup's rows by tonight's users, and tonight's numbers of its items, types and days.

    `item_at`, `kind_at` and `day_at` turn an item, an event type and a day since `first_day` into
    tonight's number, -1 for none; `item_at` ascends but for those.
    """

    rows: Rows
    item_at: Ints
    kind_at: Ints
    day_at: Ints
    first_day: int


class EventRules(NamedTuple):
    """Points of an event by kind and day, and how its kind counts.

    `points` decay by the half-life that models learn with, `recent_points` by that of a profile.
    After an event of a kind that `is_seen` an item is not shown again. `category` is each item's;
    categories are numbered from 0 by name.
    """

    points: Longs
    recent_points: Longs
    is_seen: Flags
    is_purchase: Flags
    is_view: Flags
    is_rating: Flags
    category: Ints
    n_categories: int


class Users(NamedTuple):
    """Totals of each user; `weight` sums absolute points; `taken` marks a user who took an item."""

    events: Longs
    purchases: Longs
    ratings: Longs
    rated_high: Longs
    rated_low: Longs
    first_us: Longs
    last_us: Longs
    weight: npt.NDArray[np.float64]
    taken: Flags
    favourites: Ints
    recent: Ints


class Items(NamedTuple):
    """Totals of each item of the catalogue; `taken` marks an item that a user took."""

    ratings: Longs
    rated_high: Longs
    rated_low: Longs
    points_high: Longs
    points_low: Longs
    first_us: Longs
    taken: Flags


class Cells(NamedTuple):
    """Cells of a matrix: `n[u]` items of user u, ascending, each with a value, from `start[u]` on.

    `recent` are the values of a second matrix of the same cells; empty where there is none.

    `start` begins as if every row were a cell; a thread then lets its users follow one another, so
    that no more memory is touched than is filled.
    """

    start: Longs
    n: Longs
    item: Ints
    value: Single
    recent: Single


class Scratch(NamedTuple):
    """Buffers for one user's rows or items; `taste` is 0 between two users."""

    item: Ints
    points: Longs
    recent_points: Longs
    viewed_us: Longs
    seen: Flags
    met: Ints
    latest_us: Longs
    taste: Longs
    best: Longs
    recent_us: Longs
