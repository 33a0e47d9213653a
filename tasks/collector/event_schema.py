"""Event schema: a stream entry as a row of the event log, or the reason why it is malformed.

The fields are those of `nightshelf.contract`. Empty optional ones count as absent; unknown ones are
dropped.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from nightshelf.contract.keys import encode_id
from nightshelf.errors import InvalidKey
from tasks.io.columns import ARRIVED_AT, EVENT_ID, EVENT_TYPE, ITEM_ID, TS, USER_ID, VALUE

#: Grain: one entry of the stream; an event sent twice is there twice.
EVENTS = pa.schema(
    [
        (EVENT_ID, pa.string()),
        (USER_ID, pa.string()),
        (EVENT_TYPE, pa.string()),
        (TS, pa.timestamp("us", "UTC")),
        (ITEM_ID, pa.string()),
        (VALUE, pa.float64()),
        ("generation", pa.int64()),
        ("model", pa.string()),
        ("experiment", pa.string()),
        ("variant", pa.string()),
        ("phase", pa.int32()),
        ("position", pa.int32()),
        ("latency_ms", pa.float64()),
        (ARRIVED_AT, pa.timestamp("us", "UTC")),
    ]
)

#: Order of a file's rows; entries of one event are in order of arrival.
ORDER = [(name, "ascending") for name in (TS, EVENT_ID, ARRIVED_AT)]

Row = dict[str, Any]
Entry = tuple[bytes, Mapping[bytes, bytes]]

_WHOLE = re.compile(r"-?[0-9]{1,19}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Malformed(Exception):  # noqa: N818 - a condition of one entry, not an error of the run
    """A malformed entry; its text is one of a few reasons."""


def row_of(entry: Entry, clock_tolerance_s: float, *, replay: bool = False) -> Row:
    """Return an entry as a row of `EVENTS`; raises `Malformed`.

    `arrived_at` is the time in the entry's id, by the server's clock, and `ts` may lie
    `clock_tolerance_s` beyond it; in a `replay` it is `ts`.
    """
    entry_id, fields = entry
    row: Row = dict.fromkeys(EVENTS.names)
    for name, read in _FIELDS.items():
        given = fields.get(name.encode(), b"")
        if given:
            row[name] = _parsed(name, given, read)
        elif name in _NEEDED:
            raise Malformed(f"{name} missing")
    row[ARRIVED_AT] = _arrived_at(entry_id)
    if row[TS] - row[ARRIVED_AT] > timedelta(seconds=clock_tolerance_s):
        raise Malformed("ts in the future")
    if replay:
        row[ARRIVED_AT] = row[TS]
    return row


def _parsed(name: str, given: bytes, read: Callable[[str], object]) -> object:
    try:
        return read(given.decode())
    except UnicodeDecodeError:
        raise Malformed(f"{name} not UTF-8") from None
    except InvalidKey:  # it is neither empty nor beyond UTF-8
        raise Malformed(f"{name} too long") from None
    except (ValueError, OverflowError):
        raise Malformed(f"{name} unparsable") from None


def _arrived_at(entry_id: bytes) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=int(entry_id.partition(b"-")[0]))
    except OverflowError:  # a writer may choose an entry's id
        raise Malformed("entry id beyond all time") from None


def _text(given: str) -> str:
    encode_id(given)
    return given


def _instant(given: str) -> datetime:
    instant = datetime.fromisoformat(given)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _number(given: str) -> float:
    number = float(given)
    if not math.isfinite(number):
        raise ValueError(given)
    return number


def _whole(bits: int) -> Callable[[str], int]:
    """Return a parser of signed whole numbers of so many bits."""

    def read(given: str) -> int:
        if not _WHOLE.fullmatch(given) or not -(2 ** (bits - 1)) <= int(given) < 2 ** (bits - 1):
            raise ValueError(given)
        return int(given)

    return read


_NEEDED = frozenset({EVENT_ID, USER_ID, EVENT_TYPE, TS})
_FIELDS: Mapping[str, Callable[[str], object]] = {
    EVENT_ID: _text,
    USER_ID: _text,
    EVENT_TYPE: _text,
    TS: _instant,
    ITEM_ID: _text,
    VALUE: _number,
    "generation": _whole(64),
    "model": _text,
    "experiment": _text,
    "variant": _text,
    "phase": _whole(32),
    "position": _whole(32),
    "latency_ms": _number,
}
