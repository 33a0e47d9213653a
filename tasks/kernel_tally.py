"""The compiled inner loops of the merge: rollups in, a night's sums out, a user at a time."""

import numpy as np

from tasks.kernel import Single, compiled
from tasks.tally_types import (
    FAVOURITES,
    LOW,
    LOW_BITS,
    RECENT,
    SEEN,
    Cells,
    Ints,
    Items,
    Longs,
    Night,
    Part,
    Scratch,
    Users,
)


@compiled
def runs_of(user: Ints, place: Ints, n_users: int) -> tuple[Longs, Longs, Longs]:
    """Return where each user's rows stand, as in `Part`; `place` is each user's number tonight."""
    n = len(user)
    runs = np.zeros(n_users + 2, np.int64)
    for row in range(n):
        if row == 0 or user[row] != user[row - 1]:
            runs[place[user[row]] + 2] += 1
    for u in range(n_users):
        runs[u + 2] += runs[u + 1]
    start, stop = np.empty(runs[-1], np.int64), np.empty(runs[-1], np.int64)
    at = 0
    for row in range(n):
        if row == 0 or user[row] != user[row - 1]:
            at = runs[place[user[row]] + 1]
            runs[place[user[row]] + 1] += 1
            start[at] = row
        stop[at] = row + 1
    return runs[:-1], start, stop


@compiled
def count_rows(part: Part, counts: Longs) -> None:
    """Add up how many rows each user has."""
    for u in range(len(counts)):
        for run in range(part.runs[u], part.runs[u + 1]):
            counts[u] += part.stop[run] - part.start[run]


@compiled
def look(row: Ints, row_us: Longs, item: int, us: int) -> None:
    """Note a view in a row of the items last seen: latest first, then by number; -1 for none."""
    last = len(row) - 1
    if row[last] >= 0 and (us < row_us[last] or (us == row_us[last] and item >= row[last])):
        return
    place = 0
    while place < last and row[place] >= 0 and row[place] != item:
        place += 1
    if row[place] == item and row_us[place] >= us:
        return
    while place > 0 and (
        row_us[place - 1] < us or (row_us[place - 1] == us and row[place - 1] > item)
    ):
        row[place], row_us[place] = row[place - 1], row_us[place - 1]
        place -= 1
    row[place], row_us[place] = item, us


@compiled
def tally(
    first: int, last: int, older: Part, newer: Part, night: Night,
    users: Users, items: Items, cells: Cells,
) -> None:  # fmt: skip
    """Add up the rows of the users from `first` to `last`."""
    n_items = len(night.category)
    scratch = Scratch(
        points=np.zeros(n_items, np.int64),
        marks=np.zeros(n_items, np.uint8),
        met=np.empty(n_items + 1, np.int32),
        taste=np.zeros(night.n_categories, np.int64),
        best=np.zeros(FAVOURITES, np.int64),
        recent_us=np.empty(RECENT, np.int64),
    )
    for u in range(first, last):
        n_met = _add_rows(u, 0, newer, night, users, items, scratch)
        n_met = _add_rows(u, n_met, older, night, users, items, scratch)
        found = scratch.met[:n_met]
        found.sort()
        _add_cells(u, found, night, users, items, cells, scratch)
        _favourites(found, night.category, scratch.taste, users.favourites[u], scratch.best)


@compiled
def _add_rows(
    u: int, n_met: int, part: Part, night: Night, users: Users, items: Items, scratch: Scratch
) -> int:
    """Add up a user's rows, from the newest to the oldest; returns how many items have been met.

    Most views are then older than the last twenty. What can do without a branch does: none could be
    foretold.
    """
    points, marks, met = scratch.points, scratch.marks, scratch.met
    recent, recent_us = users.recent[u], scratch.recent_us
    events, purchases, weight = 0, 0, 0.0
    first_us, last_us = users.first_us[u], users.last_us[u]
    for run in range(part.runs[u + 1] - 1, part.runs[u] - 1, -1):
        for row in range(part.stop[run] - 1, part.start[run] - 1, -1):
            day = part.day_at[part.day[row] - part.first_day]
            item, kind = part.item_at[part.item[row]], part.kind_at[part.type[row]]
            if day < 0 or item < 0:
                continue
            n, worth = part.events[row], night.points[kind, day]
            met[n_met] = item
            n_met += marks[item] == 0
            marks[item] |= night.mark[kind]
            points[item] += worth * n
            weight += abs(np.float64(worth)) * n
            events += n
            purchases += n * night.is_purchase[kind]
            first_us = min(first_us, part.first_us[row])
            last_us = max(last_us, part.last_us[row])
            items.first_us[item] = min(items.first_us[item], part.first_us[row])
            if night.is_view[kind]:
                look(recent, recent_us, item, part.last_us[row])
            if night.is_rating[kind]:
                high, low = part.millionths[row] >> LOW_BITS, part.millionths[row] & LOW
                users.ratings[u] += part.valued[row]
                users.rated_high[u] += high
                users.rated_low[u] += low
                items.ratings[item] += part.valued[row]
                items.rated_high[item] += high
                items.rated_low[item] += low
    users.events[u] += events
    users.purchases[u] += purchases
    users.weight[u] += weight
    users.first_us[u], users.last_us[u] = first_us, last_us
    return n_met


@compiled
def _add_cells(
    u: int, found: Ints, night: Night, users: Users, items: Items, cells: Cells, scratch: Scratch
) -> None:
    """Write a user's cells, and add the points up by item and by category."""
    at = cells.start[u]
    for item in found:
        worth, seen = scratch.points[item], scratch.marks[item] & SEEN != 0
        scratch.points[item] = scratch.marks[item] = 0
        items.points_high[item] += worth >> LOW_BITS
        items.points_low[item] += worth & LOW
        scratch.taste[night.category[item]] += worth
        if worth > 0:
            users.taken[u] = items.taken[item] = True
        if worth != 0 or seen:
            cells.item[at] = item
            cells.strength[at] = worth * 2.0**-32
            cells.seen[at] = seen
            at += 1
    cells.n[u] = at - cells.start[u]


@compiled
def _favourites(items: Ints, category: Ints, taste: Longs, best: Ints, points: Longs) -> None:
    """Put the categories with the most points into `best`, then by number; those above 0 only."""
    points[:] = 0
    for item in items:
        new = category[item]
        worth, taste[new] = taste[new], 0
        place = len(best)
        while place > 0 and (
            worth > points[place - 1]
            or (worth == points[place - 1] and worth > 0 and new < best[place - 1])
        ):
            place -= 1
            if place + 1 < len(best):
                best[place + 1], points[place + 1] = best[place], points[place]
        if place < len(best):
            best[place], points[place] = new, worth


@compiled
def select(
    first: int, last: int, cells: Cells, user_at: Longs, item_at: Ints, seen: bool, fill: bool,
    bounds: Longs, indices: Ints, data: Single,
) -> None:  # fmt: skip
    """Write the rows from `first` to `last` of a CSR matrix, users and items of the model.

    `user_at` gives the model's users by their rows of `cells`, `item_at` an item's column or -1.
    What is seen becomes 1. Unless to be filled, only the rows' lengths are written, as
    `bounds[1:]`; else `bounds` are the rows'.
    """
    for row in range(first, last):
        u = user_at[row]
        at = bounds[row] if fill else 0
        for cell in range(cells.start[u], cells.start[u] + cells.n[u]):
            column = item_at[cells.item[cell]]
            if column >= 0 and (cells.seen[cell] if seen else cells.strength[cell] != 0):
                if fill:
                    indices[at] = column
                    data[at] = 1 if seen else cells.strength[cell]
                at += 1
        if not fill:
            bounds[row + 1] = at
