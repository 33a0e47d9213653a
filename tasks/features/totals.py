"""What goes into the merge of a night's rollups, and what comes out, as plain arrays."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.features.arrays import Ints, Longs, Rows
from tasks.io.jit import Flags, Single

#: Sums of 64-bit numbers are kept in two parts, so that none can pass what 64 bits hold.
LOW_BITS = 32
LOW = (1 << LOW_BITS) - 1

RECENT = 20
FAVOURITES = 3


class Part(NamedTuple):
    """A rollup's rows, by tonight's users, and what its other numbers are tonight.

    `item_at`, `kind_at` and `day_at` turn an item, an event type and a day since `first_day` into
    tonight's number, -1 where none is; `item_at` never falls, but for those.
    """

    rows: Rows
    item_at: Ints
    kind_at: Ints
    day_at: Ints
    first_day: int


class Night(NamedTuple):
    """What tonight says of an event: its points, by kind and day, and what a kind counts for.

    After an event of a kind that `is_seen` an item is not shown again. `category` is each item's;
    categories are numbered from 0 in order of their names.
    """

    points: Longs
    is_seen: Flags
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
    """Items of users, ascending, each with a value: `n[u]` of user u from `start[u]` on.

    `start` begins as where user u's would be if every row were a cell; a piece of work then lets
    its users follow one another, so that no more memory is touched than is filled.
    """

    start: Longs
    n: Longs
    item: Ints
    value: Single


class Scratch(NamedTuple):
    """Room for one user's rows, or items; `taste` is 0 between two."""

    item: Ints
    points: Longs
    viewed_us: Longs
    seen: Flags
    met: Ints
    latest_us: Longs
    taste: Longs
    best: Longs
    recent_us: Longs
