"""Merge recent events into a feature row that lacks them, by the nightly run's definitions.

A row with all later events merged is the row that the nightly run would make
(`tasks/features/build.py`), except for `favorite_categories` and the catalogue's fields.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from nightshelf.client.core.recent_events import ItemCount, UserEvent, millionths
from nightshelf.contract.feature_rules import UNIT_POINTS, Counting
from nightshelf.contract.values import instant

Row = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY_S = 86_400
#: Fields that the refresh counts of an item, and their time.
_COUNTED = ("popularity_score", "avg_rating", "num_ratings", "as_of")


def to_user(row: Row | None, events: Sequence[UserEvent], counting: Counting | None) -> Row | None:
    """Return a user's row with the events after its `last_seen` merged in.

    `events` are in order of time; of events with one id the first counts. Raises as `UNREADABLE`
    lists for a malformed row.
    """
    if counting is None or not events:
        return row
    once: dict[str, UserEvent] = {}
    for each in events:
        once.setdefault(each.event_id, each)
    last_seen = instant((row or {}).get("last_seen") or "")
    held_us = (last_seen - _EPOCH) // _MICROSECOND if last_seen else -math.inf
    new = [
        each
        for each in once.values()
        if each.at_us > held_us and each.event_type not in counting.idle
    ]
    if not new:
        return row
    made = _empty_row() | (row or {})
    first, last = _text(new[0].at_us), _text(new[-1].at_us)
    rated = [each.value for each in new if each.event_type in counting.ratings]
    values = [value for value in rated if value is not None]
    return made | {
        "created_at": made["created_at"] or first,
        "first_seen": made["first_seen"] or first,
        "last_seen": last,
        "events": made["events"] + len(new),
        "total_purchases": made["total_purchases"]
        + sum(each.event_type in counting.purchases for each in new),
        **_rating(made, len(values), sum(map(millionths, values))),
        "recent_views": _viewed(new, made["recent_views"], counting),
    }


def recounted(night: Row | None, update: Row | None) -> Row | None:
    """Return an item's nightly row with the refresh's counters, if there are any.

    The other fields may have been updated since (`nightshelf.admin.item_updates`).
    """
    if night is None or update is None:
        return update if night is None else night
    return night | {name: update[name] for name in _COUNTED if name in update}


def to_item(
    row: Row, counts: Sequence[ItemCount], counting: Counting | None, as_of: str, now: datetime
) -> Row:
    """Return an item's row with the counts after its own `as_of`, else the night's, merged in.

    The score is aged to the day of `now` where there are counts. Raises as `to_user`.
    """
    if "as_of" in row:
        row = dict(row)
        as_of = row.pop("as_of")
    held = instant(as_of) if counts else None
    if counting is None or held is None:
        return row
    held_s, today = held.timestamp(), int(now.timestamp()) // _DAY_S
    new = [
        each for each in counts if each.since_s >= held_s and each.event_type not in counting.idle
    ]
    if not new:
        return row
    age_days = max(0, today - int(held_s) // _DAY_S)
    points = row["popularity_score"] * UNIT_POINTS * counting.faded(age_days)
    valued = total = 0
    for each in new:
        if not each.what:
            age_days = max(0, today - each.since_s // _DAY_S)
            points += each.n * counting.points(each.event_type, age_days)
        elif each.event_type in counting.ratings:
            valued += each.n if each.what == "n" else 0
            total += each.n if each.what == "sum" else 0
    return row | {"popularity_score": points / UNIT_POINTS, **_rating(row, valued, total)}


def _empty_row() -> Row:
    """Return the row of a user without events."""
    row: Row = dict.fromkeys(("segment", "created_at", "first_seen", "last_seen"))
    row |= {"events": 0, "total_purchases": 0, "num_ratings": 0, "avg_rating": None}
    return row | {"favorite_categories": [], "recent_views": []}


def _rating(row: Row, n_more: int, more: int) -> Row:
    """Return the mean's fields with `n_more` values of sum `more` (millionths) added."""
    n = row["num_ratings"] + n_more
    total = round((row["avg_rating"] or 0.0) * row["num_ratings"] * 1e6) + more
    return {"avg_rating": total / n / 1e6 if n_more and n else row["avg_rating"], "num_ratings": n}


def _viewed(new: Sequence[UserEvent], before: Sequence[str], counting: Counting) -> list[str]:
    """Return the items viewed last, the latest first, ties by id."""
    latest = {each.item_id: each.at_us for each in new if each.event_type in counting.views}
    viewed = sorted(latest, key=lambda item: (-latest[item], item))
    return [*viewed, *(item for item in before if item not in latest)][: counting.n_recent]


def _text(at_us: int) -> str:
    """Format a time as in feature rows."""
    at = _EPOCH + at_us * _MICROSECOND
    return f"{at.replace(tzinfo=None).isoformat()}Z"
