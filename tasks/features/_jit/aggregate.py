"""Compiled aggregation of rollups into a night's totals, a user at a time."""

import numpy as np

from tasks.features._jit.top import NO_VIEW, favourites, recent
from tasks.features.arrays import (
    LOW,
    LOW_BITS,
    Cells,
    EventRules,
    Ints,
    Items,
    Longs,
    Part,
    Scratch,
    Users,
)
from tasks.features.lengths import FAVOURITES, RECENT
from tasks.ingest.daily_log import DAY_US
from tasks.io.jit import Flags, compiled


@compiled
def aggregate_users(
    first: int, last: int, older: Part, newer: Part, rules: EventRules,
    users: Users, items: Items, liked: Cells, seen: Cells,
) -> None:  # fmt: skip
    """Add up the rows of the users from `first` to `last`."""
    most = 0
    for u in range(first, last):
        n_older = older.rows.start[u + 1] - older.rows.start[u]
        most = max(most, n_older + newer.rows.start[u + 1] - newer.rows.start[u])
    scratch = Scratch(
        item=np.empty(most, np.int32),
        points=np.empty(most, np.int64),
        recent_points=np.empty(most, np.int64),
        viewed_us=np.empty(most, np.int64),
        seen=np.empty(most, np.bool_),
        met=np.empty(most, np.int32),
        latest_us=np.empty(most, np.int64),
        taste=np.zeros(rules.n_categories, np.int64),
        best=np.zeros(FAVOURITES, np.int64),
        recent_us=np.empty(RECENT, np.int64),
    )
    for u in range(first, last):
        if u > first:
            liked.start[u] = liked.start[u - 1] + liked.n[u - 1]
            seen.start[u] = seen.start[u - 1] + seen.n[u - 1]
        n_newer = _add_rows(u, 0, newer, rules, users, items, scratch)
        n = _add_rows(u, n_newer, older, rules, users, items, scratch)
        n_met = _add_cells(u, n_newer, n, rules, users, items, liked, seen, scratch)
        met = scratch.met[:n_met]
        favourites(met, rules.category, scratch.taste, users.favourites[u], scratch.best)
        recent(met, scratch.latest_us[:n_met], users.recent[u], scratch.recent_us)


@compiled
def _add_rows(
    u: int, n: int, part: Part, rules: EventRules, users: Users, items: Items, scratch: Scratch
) -> int:
    """Add up a user's rows; write an entry a row to `scratch` from `n` on; return their end."""
    rows = part.rows
    events, purchases, weight = 0, 0, 0.0
    first_us, last_us = users.first_us[u], users.last_us[u]
    extra, last_extra = rows.extra_start[u], rows.extra_start[u + 1]
    for row in range(rows.start[u], rows.start[u + 1]):
        us = until_us = rows.last_us[row]
        n_events, extra_at = 1, extra
        if extra < last_extra and rows.row[extra] == row:
            n_events, us = rows.events[extra], rows.first_us[extra]
            extra += 1
        day = part.day_at[until_us // DAY_US - part.first_day]
        item, kind = part.item_at[rows.item[row]], part.kind_at[rows.type[row]]
        if day < 0 or item < 0:
            continue
        worth = rules.points[kind, day]
        scratch.item[n], scratch.points[n] = item, worth * n_events
        scratch.recent_points[n] = rules.recent_points[kind, day] * n_events
        scratch.seen[n] = rules.is_seen[kind]
        scratch.viewed_us[n] = until_us if rules.is_view[kind] else NO_VIEW
        n += 1
        weight += abs(np.float64(worth)) * n_events
        events += n_events
        purchases += n_events * rules.is_purchase[kind]
        first_us, last_us = min(first_us, us), max(last_us, until_us)
        items.first_us[item] = min(items.first_us[item], us)
        if rules.is_rating[kind] and extra > extra_at:
            _rate(u, item, rows.valued[extra_at], rows.millionths[extra_at], users, items)
    users.events[u] += events
    users.purchases[u] += purchases
    users.weight[u] += weight
    users.first_us[u], users.last_us[u] = first_us, last_us
    return n


@compiled
def _rate(u: int, item: int, valued: int, millionths: int, users: Users, items: Items) -> None:
    """Add up ratings."""
    high, low = millionths >> LOW_BITS, millionths & LOW
    users.ratings[u] += valued
    users.rated_high[u] += high
    users.rated_low[u] += low
    items.ratings[item] += valued
    items.rated_high[item] += high
    items.rated_low[item] += low


@compiled
def _add_cells(
    u: int, n_newer: int, n: int, rules: EventRules, users: Users, items: Items,
    liked: Cells, seen: Cells, scratch: Scratch,
) -> int:  # fmt: skip
    """Write a user's cells, add points up by item and category; return the number of items.

    `scratch` holds the newer rows' entries up to `n_newer`, then the older, each in item order.
    """
    newer, older = 0, n_newer
    n_met, n_liked, n_seen = 0, liked.start[u], seen.start[u]
    while newer < n_newer or older < n:
        if older == n or (newer < n_newer and scratch.item[newer] < scratch.item[older]):
            item = scratch.item[newer]
        else:
            item = scratch.item[older]
        worth, recently, was_seen, latest_us = 0, 0, False, NO_VIEW
        while newer < n_newer and scratch.item[newer] == item:
            worth, was_seen = worth + scratch.points[newer], was_seen | scratch.seen[newer]
            recently += scratch.recent_points[newer]
            latest_us = max(latest_us, scratch.viewed_us[newer])
            newer += 1
        while older < n and scratch.item[older] == item:
            worth, was_seen = worth + scratch.points[older], was_seen | scratch.seen[older]
            recently += scratch.recent_points[older]
            latest_us = max(latest_us, scratch.viewed_us[older])
            older += 1
        scratch.met[n_met], scratch.latest_us[n_met] = item, latest_us
        n_met += 1
        items.points_high[item] += worth >> LOW_BITS
        items.points_low[item] += worth & LOW
        scratch.taste[rules.category[item]] += worth
        if worth > 0:
            users.taken[u] = items.taken[item] = True
        liked.item[n_liked], liked.value[n_liked] = item, worth * 2.0**-32
        liked.recent[n_liked] = recently * 2.0**-32
        n_liked += worth != 0
        seen.item[n_seen], seen.value[n_seen] = item, 1
        n_seen += was_seen
    liked.n[u], seen.n[u] = n_liked - liked.start[u], n_seen - seen.start[u]
    return n_met


@compiled
def select(cells: Cells, users: Flags, item_at: Ints) -> Longs:
    """Move the cells of the model's users and items to the front; return the users' bounds.

    `item_at` gives an item's column in the model, or -1.
    """
    bounds = np.zeros(users.sum() + 1, np.int64)
    at = 0
    for row, u in enumerate(np.flatnonzero(users)):
        for cell in range(cells.start[u], cells.start[u] + cells.n[u]):
            column = item_at[cells.item[cell]]
            if column >= 0:
                cells.item[at], cells.value[at] = column, cells.value[cell]
                if len(cells.recent):
                    cells.recent[at] = cells.recent[cell]
                at += 1
        bounds[row + 1] = at
    return bounds
