"""What each user looked at last."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.kernel import compiled

Positions = npt.NDArray[np.int32]
Instants = npt.NDArray[np.int64]

_LENGTH = 20


def recent_views(
    users: Positions, items: Positions, at_us: Instants, n_users: int, item_ids: pa.StringArray
) -> pa.Table:
    """Return (user, recent_views): a user's items by latest view, latest first, then by id.

    `users`, `items` and `at_us` are views, in any order; quickest from the oldest to the latest.
    """
    shown = np.full((n_users, _LENGTH), -1, np.int32)
    _latest(users, items, at_us, shown, np.zeros((n_users, _LENGTH), np.int64))
    filled = shown >= 0
    offsets = np.concatenate(([0], np.cumsum(filled.sum(axis=1)))).astype(np.int32)
    views = pa.ListArray.from_arrays(pa.array(offsets), item_ids.take(pa.array(shown[filled])))
    return pa.table({"user": pa.array(np.arange(n_users, dtype=np.int32)), "recent_views": views})


@compiled
def _latest(
    users: Positions, items: Positions, at_us: Instants, shown: Positions, shown_us: Instants
) -> None:
    """Keep in each row of `shown` the items last seen, in order; -1 where there are no more."""
    length = shown.shape[1]
    for event in range(len(users) - 1, -1, -1):
        row, row_us = shown[users[event]], shown_us[users[event]]
        item, us = items[event], at_us[event]
        last = length - 1
        if row[last] >= 0 and (us < row_us[last] or (us == row_us[last] and item >= row[last])):
            continue
        place = 0
        while place < last and row[place] >= 0 and row[place] != item:
            place += 1
        if row[place] == item and row_us[place] >= us:
            continue
        while place > 0 and (
            row_us[place - 1] < us or (row_us[place - 1] == us and row[place - 1] > item)
        ):
            row[place], row_us[place] = row[place - 1], row_us[place - 1]
            place -= 1
        row[place], row_us[place] = item, us
