"""Recent events: stored by tracking, and read with the feature rows.

A user's events are stored one by one, as a row may hold some of them already; an item's, of which
there may be thousands, are counted by quarter of an hour (docs/decisions/0027-recent-events.md).
"""

import json
import math
from typing import Any, NamedTuple

from nightshelf.client.core.protocol import Batch, Command
from nightshelf.client.core.stored_list import UNREADABLE
from nightshelf.client.event import Event
from nightshelf.client.settings import ReadSettings
from nightshelf.contract.keys import MAX_RECENT, QUARTER_S, Keys, decode_id, encode_id
from nightshelf.contract.values import loads

#: Events with values outside 0 to this are left to the nightly run.
_MAX_VALUE = 1e12
_MILLIONTHS = 1e6
#: Frequent events without weight in the features.
_SHOWN = "impression"
#: End of the year 9998 in Unix time; later entries are foreign.
_LAST_S = 253_370_764_800


class UserEvent(NamedTuple):
    """An event of a user; `at_us` is Unix time in microseconds, 0 at least."""

    at_us: int
    event_id: str
    event_type: str
    item_id: str
    value: float | None


class ItemCount(NamedTuple):
    """A count of events of an item in the quarter of an hour from `since_s` (Unix time) on.

    `what` is ``""`` for the number of events, ``"n"`` for the number of their values, ``"sum"`` for
    the sum of the values in millionths.
    """

    since_s: int
    event_type: str
    what: str
    n: int


def counts(event: Event) -> bool:
    """Tell whether an event is merged into feature rows at once."""
    if event.item_id is None or event.event_type == _SHOWN:
        return False
    return event.value is None or 0 <= event.value <= _MAX_VALUE


def of_user(event: Event, keys: Keys, settings: ReadSettings) -> Batch:
    """Return the commands that store an event of a user; the first replies 0 if it is there."""
    key = keys.recent(event.user_id)
    entry: list[str | float] = [event.event_id, event.event_type, str(event.item_id)]
    if event.value is not None:
        entry.append(float(event.value))
    text = json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
    return [
        ("ZADD", key, "NX", event.at.timestamp(), text),
        ("ZREMRANGEBYRANK", key, 0, -MAX_RECENT - 1),
        ("EXPIRE", key, settings.recent_user_ttl_s),
    ]


def of_item(event: Event, keys: Keys, settings: ReadSettings, sign: int = 1) -> Batch:
    """Return the commands that count an event of its item; `sign=-1` undoes it."""
    key = keys.recent_item(str(event.item_id))
    field = f"{math.floor(event.at.timestamp()) // QUARTER_S}:{encode_id(event.event_type)}"
    batch: Batch = [("HINCRBY", key, field, sign)]
    if event.value is not None:
        batch.append(("HINCRBY", key, f"{field}:n", sign))
        batch.append(("HINCRBY", key, f"{field}:sum", sign * millionths(event.value)))
    # From the first event on, so that the key ends however many follow.
    return [*batch, ("EXPIRE", key, settings.recent_item_ttl_s, "NX")]


def millionths(value: float) -> int:
    """Return a value in millionths, halves rounded up, as the nightly run sums values."""
    return math.floor(value * _MILLIONTHS + 0.5)


def user_command(key: str) -> Command:
    """Return the command that reads a user's recent events, oldest first."""
    return ("ZRANGE", key, 0, -1, "WITHSCORES")


def item_command(key: str) -> Command:
    """Return the command that reads an item's recent counts."""
    return ("HGETALL", key)


def decode_user_events(reply: Any) -> tuple[UserEvent, ...]:
    """Decode a user's recent events, oldest first, skipping entries not of this contract."""
    pairs = reply or ()
    if pairs and not isinstance(pairs[0], list):  # RESP2
        pairs = zip(pairs[::2], pairs[1::2], strict=True)
    found = []
    for member, score in pairs:
        try:
            event_id, event_type, item_id, *values = loads(member)
            at_us = round(float(score) * _MILLIONTHS)
            value = float(values[0]) if values else None
            "".join((event_id, event_type, item_id))  # raises where one is not a text
        except UNREADABLE:
            continue
        if 0 <= at_us <= _LAST_S * _MILLIONTHS and (value is None or math.isfinite(value)):
            found.append(UserEvent(at_us, event_id, event_type, item_id, value))
    return tuple(found)


def decode_item_counts(reply: Any) -> tuple[ItemCount, ...]:
    """Decode an item's recent counts, skipping fields not of this contract."""
    counted = reply or {}
    if not isinstance(counted, dict):  # RESP2
        counted = dict(zip(counted[::2], counted[1::2], strict=True))
    found = []
    for field, n in counted.items():
        text = field if isinstance(field, str) else field.decode(errors="replace")
        quarter, _, rest = text.partition(":")
        event_type, _, what = rest.partition(":")
        try:
            each = ItemCount(int(quarter) * QUARTER_S, decode_id(event_type), what, int(n))
        except UNREADABLE:
            continue
        # A count undone after its key expired is negative.
        if each.n > 0 and 0 <= each.since_s <= _LAST_S:
            found.append(each)
    return tuple(found)
