"""What users did lately: told where readers of feature rows find it, and read from there.

A user's events are kept one by one, as a row may hold some of them already; an item's, of which
there may be thousands, are counted by the quarter of an hour (docs/decisions/0027-lately.md).
"""

import json
import math
from typing import Any, NamedTuple

from nightshelf.client.core.protocol import Batch, Command
from nightshelf.client.core.stored_list import UNREADABLE
from nightshelf.client.event import Event
from nightshelf.client.settings import ReadSettings
from nightshelf.contract.keys import MAX_LATELY, QUARTER_S, Keys, decode_id, encode_id
from nightshelf.contract.values import loads

#: A greater value, or one below 0, is left to the night, which knows what may be negative.
_MAX_VALUE = 1e12
_MILLIONTHS = 1e6
#: TrackingReceipt in masses, of which the night makes nothing.
_SHOWN = "impression"
#: The end of the year 9998: what claims to be later is none of ours.
_LAST_S = 253_370_764_800


class Did(NamedTuple):
    """An event of a user; `at_us` is Unix time in microseconds, 0 at least."""

    at_us: int
    event_id: str
    event_type: str
    item_id: str
    value: float | None


class Done(NamedTuple):
    """How much was done with an item in the quarter that begins at `since_s` (Unix time).

    `what` is ``""`` for the number of events, ``"n"`` for that of their values, ``"sum"`` for
    the sum of these in millionths.
    """

    since_s: int
    event_type: str
    what: str
    n: int


def counts(event: Event) -> bool:
    """Tell whether an event is in the rows at once: something was done with an item."""
    if event.item_id is None or event.event_type == _SHOWN:
        return False
    return event.value is None or 0 <= event.value <= _MAX_VALUE


def of_user(event: Event, keys: Keys, settings: ReadSettings) -> Batch:
    """Return the commands that keep an event for its user; the first replies 0 to one it has."""
    key = keys.lately(event.user_id)
    entry: list[str | float] = [event.event_id, event.event_type, str(event.item_id)]
    if event.value is not None:
        entry.append(float(event.value))
    text = json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
    return [
        ("ZADD", key, "NX", event.at.timestamp(), text),
        ("ZREMRANGEBYRANK", key, 0, -MAX_LATELY - 1),
        ("EXPIRE", key, settings.recent_user_ttl_s),
    ]


def of_item(event: Event, keys: Keys, settings: ReadSettings, sign: int = 1) -> Batch:
    """Return the commands that count an event for its item; `sign=-1` takes it back."""
    key = keys.lately_item(str(event.item_id))
    field = f"{math.floor(event.at.timestamp()) // QUARTER_S}:{encode_id(event.event_type)}"
    batch: Batch = [("HINCRBY", key, field, sign)]
    if event.value is not None:
        batch.append(("HINCRBY", key, f"{field}:n", sign))
        batch.append(("HINCRBY", key, f"{field}:sum", sign * millionths(event.value)))
    # From the first on: whatever goes on being counted, there is an end to what is kept.
    return [*batch, ("EXPIRE", key, settings.recent_item_ttl_s, "NX")]


def millionths(value: float) -> int:
    """Return a value in millionths, halves upwards, as the night adds values up."""
    return math.floor(value * _MILLIONTHS + 0.5)


def asks_user(key: str) -> Command:
    """Return the command for what a user did, oldest first."""
    return ("ZRANGE", key, 0, -1, "WITHSCORES")


def asks_item(key: str) -> Command:
    """Return the command for what was done with an item."""
    return ("HGETALL", key)


def did(reply: Any) -> tuple[Did, ...]:
    """Decode what a user did, oldest first, passing over what is no entry of this contract."""
    pairs = reply or ()
    if pairs and not isinstance(pairs[0], list):  # RESP2
        pairs = zip(pairs[::2], pairs[1::2], strict=True)
    found = []
    for member, score in pairs:
        try:
            event_id, event_type, item_id, *values = loads(member)
            at_us = round(float(score) * _MILLIONTHS)
            value = float(values[0]) if values else None
            "".join((event_id, event_type, item_id))  # raises where one is no text
        except UNREADABLE:
            continue
        if 0 <= at_us <= _LAST_S * _MILLIONTHS and (value is None or math.isfinite(value)):
            found.append(Did(at_us, event_id, event_type, item_id, value))
    return tuple(found)


def done(reply: Any) -> tuple[Done, ...]:
    """Decode what was done with an item, passing over what is no count of this contract."""
    counted = reply or {}
    if not isinstance(counted, dict):  # RESP2
        counted = dict(zip(counted[::2], counted[1::2], strict=True))
    found = []
    for field, n in counted.items():
        text = field if isinstance(field, str) else field.decode(errors="replace")
        quarter, _, rest = text.partition(":")
        event_type, _, what = rest.partition(":")
        try:
            each = Done(int(quarter) * QUARTER_S, decode_id(event_type), what, int(n))
        except UNREADABLE:
            continue
        # What was taken back after its time was up counts for nothing.
        if each.n > 0 and 0 <= each.since_s <= _LAST_S:
            found.append(each)
    return tuple(found)
