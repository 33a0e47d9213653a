"""What a rollup is made of, as plain arrays."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


class Rows(NamedTuple):
    """A rollup's rows, in order of user and item; ids and types are numbers.

    User u's are those from `start[u]` to `start[u + 1]`. A row is one event without a value, at
    `last_us` (microseconds UTC since 1970), unless it is told more of: by n of `row` (ascending),
    for n from `extra_start[u]` to `extra_start[u + 1]`. It is then `events[n]` events since
    `first_us[n]`, `valued[n]` of which have a value; `millionths[n]` is the sum of the values.
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
