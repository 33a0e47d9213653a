"""Compiled loops of rollups: events to rows; rows of several days merged in order."""

import numpy as np

from tasks.features.arrays import Ints, Longs, Rows
from tasks.io.jit import Double, compiled

#: Larger values stand in a row of their own, so that a sum in millionths fits 64 bits.
_LARGE = 1e6


@compiled
def sorted_by(numbers: Ints, n_numbers: int, order: Longs) -> Longs:
    """Return `order`, rows of `numbers`, sorted stably by number."""
    place = np.zeros(n_numbers + 1, np.int64)
    for row in order:
        place[numbers[row] + 1] += 1
    for number in range(n_numbers):
        place[number + 1] += place[number]
    found = np.empty_like(order)
    for row in order:
        found[place[numbers[row]]] = row
        place[numbers[row]] += 1
    return found


@compiled
def add_up(
    order: Longs, user: Ints, item: Ints, kind: Ints, ts_us: Longs, value: Double, n_users: int
) -> Rows:
    """Add up a day's events, read in `order`: by user, item, type and time; `value` NaN is none."""
    n = len(order)
    start, extra_start = np.zeros(n_users + 1, np.int64), np.zeros(n_users + 1, np.int64)
    items, kinds, last_us = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int64)
    row, events = np.empty(n, np.int64), np.empty(n, np.int32)
    first_us, valued = np.empty(n, np.int64), np.empty(n, np.int32)
    millionths = np.empty(n, np.int64)
    at = n_rows = n_extras = 0
    while at < n:
        first, begin, n_valued, total = order[at], at, 0, 0
        while True:
            event = order[at]
            if not np.isnan(value[event]):
                n_valued += 1
                total += int(_millionths(value[event]))
            at += 1
            if at == n or not _alike(event, order[at], user, item, kind, value):
                break
        items[n_rows], kinds[n_rows], last_us[n_rows] = item[first], kind[first], ts_us[event]
        if at - begin > 1 or n_valued > 0:
            row[n_extras], events[n_extras], first_us[n_extras] = n_rows, at - begin, ts_us[first]
            valued[n_extras], millionths[n_extras] = n_valued, total
            n_extras += 1
        n_rows += 1
        start[user[first] + 1], extra_start[user[first] + 1] = n_rows, n_extras
    return Rows(
        start, items[:n_rows].copy(), kinds[:n_rows].copy(), last_us[:n_rows].copy(),
        extra_start, row[:n_extras].copy(), events[:n_extras].copy(), first_us[:n_extras].copy(),
        valued[:n_extras].copy(), millionths[:n_extras].copy(),
    )  # fmt: skip


@compiled
def _alike(one: int, other: int, user: Ints, item: Ints, kind: Ints, value: Double) -> bool:
    """Tell whether two events are added up in the same row."""
    return (
        user[one] == user[other]
        and item[one] == item[other]
        and kind[one] == kind[other]
        and not abs(value[one]) > _LARGE
        and not abs(value[other]) > _LARGE
    )


@compiled
def _millionths(value: float) -> np.int64:
    """Return a value in millionths, halves away from 0."""
    whole = np.floor(abs(value) * 1e6)
    whole += abs(value) * 1e6 - whole >= 0.5
    return np.int64(whole if value > 0 else -whole)


@compiled
def place_rows(
    first: int, last: int, rows: Rows, user_at: Ints, item_at: Ints, type_at: Ints,
    n_extras: int, cursor: Longs, item: Ints, kind: Ints, last_us: Longs, extra: Ints,
) -> None:  # fmt: skip
    """Append the rows of the users from `first` to `last`, renumbered, to those placed before.

    `cursor` is the place of each user's next row; `extra` is a row's index into the extra columns,
    counted from `n_extras` on, or -1.
    """
    for user in range(first, last):
        at, more = cursor[user_at[user]], rows.extra_start[user]
        for row in range(rows.start[user], rows.start[user + 1]):
            item[at], kind[at] = item_at[rows.item[row]], type_at[rows.type[row]]
            last_us[at], extra[at] = rows.last_us[row], -1
            if more < rows.extra_start[user + 1] and rows.row[more] == row:
                extra[at] = n_extras + more
                more += 1
            at += 1
        cursor[user_at[user]] = at


@compiled
def sort_rows(
    first: int, last: int, start: Longs, item: Ints, kind: Ints, last_us: Longs, extra: Ints
) -> None:
    """Sort the rows of each user from `first` to `last` stably by item."""
    for user in range(first, last):
        here = slice(start[user], start[user + 1])
        n = start[user + 1] - start[user]
        keys = np.empty(n, np.int64)
        for at in range(n):
            keys[at] = np.int64(item[start[user] + at]) << 32 | at
        keys.sort()
        kinds, times, extras = kind[here].copy(), last_us[here].copy(), extra[here].copy()
        for at in range(n):
            new, old = start[user] + at, keys[at] & 0xFFFFFFFF
            item[new] = keys[at] >> 32
            kind[new], last_us[new], extra[new] = kinds[old], times[old], extras[old]
