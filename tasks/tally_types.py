"""What goes into the merge of a night's rollups, and what comes out, as plain arrays."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.kernel import Flags, Single

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

#: Sums of 64-bit numbers are kept in two parts, so that none can pass what 64 bits hold.
LOW_BITS = 32
LOW = (1 << LOW_BITS) - 1

#: What a user has had to do with an item.
MET, SEEN = 1, 2

RECENT = 20
FAVOURITES = 3


class Part(NamedTuple):
    """A rollup's columns, and what its numbers are tonight.

    `item`, `type`, `day`, ... are those of `rollup.SCHEMA`; `item_at`, `kind_at` and `day_at` turn
    an item, an event type and a day since `first_day` into tonight's number, -1 where none is.
    User u's rows are those from `start[r]` to `stop[r]`, for r from `runs[u]` to `runs[u + 1]`.
    """

    item: Ints
    type: Ints
    day: Ints
    events: Ints
    first_us: Longs
    last_us: Longs
    valued: Ints
    millionths: Longs
    item_at: Ints
    kind_at: Ints
    day_at: Ints
    first_day: int
    runs: Longs
    start: Longs
    stop: Longs


class Night(NamedTuple):
    """What tonight says of an event: its points, by kind and day, and what a kind counts for.

    `mark` is `MET | SEEN` for a kind after which an item is not shown again, `MET` for others;
    `category` is each item's; categories are numbered from 0 in order of their names.
    """

    points: Longs
    mark: npt.NDArray[np.uint8]
    is_purchase: Flags
    is_view: Flags
    is_rating: Flags
    category: Ints
    n_categories: int


class Users(NamedTuple):
    """A row a user; `weight`: what all events weigh, signs aside; `taken`: took to something."""

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
    """A row an item of the catalogue; `taken` is whether somebody took to it."""

    ratings: Longs
    rated_high: Longs
    rated_low: Longs
    points_high: Longs
    points_low: Longs
    first_us: Longs
    taken: Flags


class Cells(NamedTuple):
    """What users and items have to do with each other: `n[u]` cells from `start[u]` on, by item."""

    start: Longs
    n: Longs
    item: Ints
    strength: Single
    seen: Flags


class Scratch(NamedTuple):
    """Room for one user at a time; `points`, `marks` and `taste` are 0 between two."""

    points: Longs
    marks: npt.NDArray[np.uint8]
    met: Ints
    taste: Longs
    best: Longs
    recent_us: Longs
