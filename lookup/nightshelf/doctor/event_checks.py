"""Check that tracked events are collected, from their stream (XINFO STREAM ... FULL)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nightshelf.client.settings import ReadSettings
from nightshelf.doctor.finding import Finding
from nightshelf.text import age_text

#: Events are collected every minute.
_LATE_S = 3600
_COLLECT = "run the flow `collect`, and look why it did not (docs/how-to/collect-events.md)"


def events(stream: Mapping[str, Any] | None, now: datetime) -> Finding:
    """Judge the number and age of uncollected events, and the number lost before collection.

    The stream is `None` if no event was ever tracked. The apps' setting `max_events` is assumed to
    have its default.
    """
    if stream is None:
        return Finding("ok", "none was ever tracked")
    group = next((each for each in stream["groups"] if each["name"] == b"collector"), None)
    if lost := _n_lost(stream, group) if group else 0:
        found = f"{lost:,} events left Redis before they were collected"
        return Finding("fail", found, f"{_COLLECT}; it counts them, once")
    if not stream["length"]:
        return Finding("ok", "all are collected")
    return _waiting(stream, now, collected=group is not None)


def _waiting(stream: Mapping[str, Any], now: datetime, *, collected: bool) -> Finding:
    n, most = int(stream["length"]), ReadSettings.max_events
    late_s = max(0.0, now.timestamp() - _ids(stream["recorded-first-entry-id"])[0] / 1000)
    found = f"{n:,} wait to be collected, for {age_text(late_s)} at most"
    if n >= most:
        return Finding("fail", f"{found}: new ones are refused", _COLLECT)
    if not collected:
        return Finding("warn", f"{found}; nothing has ever collected any", _COLLECT)
    if late_s > _LATE_S or n >= most / 2:
        return Finding("warn", f"{found}; from {most:,} on new ones are refused", _COLLECT)
    return Finding("ok", found)


def _n_lost(stream: Mapping[str, Any], group: Mapping[str, Any]) -> int:
    """Return how many entries went unread; 0 where some may have been erased on purpose."""
    read_to = _ids(group["last-delivered-id"])
    first, n_read = _ids(stream["recorded-first-entry-id"]), group["entries-read"]
    if n_read is None or (stream["length"] and first <= read_to):
        return 0
    if _ids(stream["max-deleted-entry-id"]) > read_to:
        return 0
    return max(0, int(stream["entries-added"] - stream["length"] - n_read))


def _ids(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition(b"-")
    return int(milliseconds), int(sequence)
