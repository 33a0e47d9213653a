"""The stream of tracked events, read by one consumer group (Redis 7, Valkey).

All collectors are one consumer: `XREADGROUP` gives each new entry to one of them, and entries of a
dead one are claimed once they are idle. So dead collectors leave nothing to clear away.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from tasks.collector.event_schema import Entry
from tasks.collector.log_files import id_order

GROUP = CONSUMER = "collector"
_ZERO = "0-0"
_MAX_SEQUENCE = 2**64 - 1
#: No server's clock is so far ahead: a writer chose such an id.
_AHEAD_S = 86_400


@dataclass(frozen=True)
class Chunk:
    """Entries in the order of their ids, and how many were gone before they could be read.

    `n_lost` were dropped by a writer's MAXLEN, or by XTRIM. `n_unsure` may have been erased on
    purpose, or stored by a collector that died.
    """

    entries: list[Entry]
    n_lost: int = 0
    n_unsure: int = 0


@dataclass(frozen=True)
class EventStream:
    """The stream under one key."""

    client: Redis
    key: str

    def join(self, *, again: bool = False) -> bool:
        """Make the group and the stream if they are missing; the group begins at the oldest entry.

        Returns whether the group was made. Entries gone before the first collector do not count as
        lost; with `again` there was one, whose stream is gone.
        """
        n_before = 0
        if not again:
            with suppress(ResponseError):  # no such stream
                state = self._info()
                n_before = state["entries-added"] - state["length"]
        try:
            self.client.xgroup_create(self.key, GROUP, _ZERO, mkstream=True, entries_read=n_before)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
            return False
        return True

    def mend(self) -> bool:
        """Reset the ids of an empty stream that are far ahead of the clock.

        Writers may choose ids, and after the highest possible id no entry can be added. Returns
        whether they were reset.
        """
        state = self._info()
        now_s, _ = self.client.time()
        at_ms, _ = id_order(state["last-generated-id"].decode())
        if state["length"] or at_ms < (now_s + _AHEAD_S) * 1000:
            return False
        last, n_added = f"{now_s * 1000}-0", state["entries-added"]
        try:  # refused if an entry has arrived meanwhile
            ask: Any = self.client.execute_command
            ask("XSETID", self.key, last, "ENTRIESADDED", n_added, "MAXDELETEDID", _ZERO)
        except ResponseError:
            return False
        self.client.xgroup_setid(self.key, GROUP, last, entries_read=n_added)
        return True

    def claim(self, n: int, idle_s: float) -> Iterator[Chunk]:
        """Yield entries taken at least `idle_s` ago and not acknowledged, `n` at a time."""
        cursor: Any = _ZERO
        while True:
            cursor, entries, gone = self.client.xautoclaim(
                self.key, GROUP, CONSUMER, int(idle_s * 1000), cursor, count=n
            )
            yield Chunk(entries, n_unsure=len(gone))
            if cursor.decode() == _ZERO:
                return

    def read(self, n: int) -> Iterator[Chunk]:
        """Yield entries that no collector has taken, `n` at a time, until there are fewer."""
        while True:
            with self.client.pipeline(transaction=True) as pipe:
                self._ask(pipe)
                pipe.xreadgroup(GROUP, CONSUMER, {self.key: ">"}, count=n)
                self._ask(pipe)
                before, given, after = pipe.execute()
            entries = given[0][1] if given else []
            n_gone, erased = _gone(before)
            self._keep_count(before, after, n_gone + len(entries))
            yield Chunk(entries, *((0, n_gone) if erased else (n_gone, 0)))
            if len(entries) < n:
                return

    def acknowledge(self, entries: list[Entry]) -> None:
        """Acknowledge entries, all or none."""
        if entries:
            self.client.xack(self.key, GROUP, *(entry_id for entry_id, _ in entries))

    def trim(self) -> int:
        """Trim entries that every group has acknowledged; return their number."""
        needed = [_needed_from(group) for group in self._info()["groups"]]
        oldest = min(filter(None, needed), key=id_order, default=None)  # None: after the highest id
        bound = {"minid": oldest} if oldest else {"maxlen": 0}
        n_trimmed: int = self.client.xtrim(self.key, **bound, approximate=False)
        return n_trimmed

    def _info(self) -> dict[str, Any]:
        state: dict[str, Any] = self._ask(self.client)
        return state

    def _ask(self, where: Any) -> Any:
        """Ask for the stream and its groups in one command."""
        return where.execute_command("XINFO STREAM", self.key, "FULL", "COUNT", 1, full=True)

    def _keep_count(self, before: dict[str, Any], after: dict[str, Any], n_passed: int) -> None:
        """Count the entries that are gone as read by the group, in which servers differ.

        Otherwise the next read would report the same gap again.
        """
        was, now = _ours(before)["entries-read"], _ours(after)
        n_read = None if was is None else was + n_passed
        if now["last-delivered-id"] == after["last-generated-id"]:
            n_read = after["entries-added"]
        if n_read is not None and now["entries-read"] != n_read:
            last = now["last-delivered-id"]
            self.client.xgroup_setid(self.key, GROUP, last, entries_read=n_read)


def _ours(state: dict[str, Any]) -> dict[str, Any]:
    return next(group for group in state["groups"] if group["name"] == GROUP.encode())


def _gone(state: dict[str, Any]) -> tuple[int, bool]:
    """Count the entries that left the stream unread; tell whether any was erased by hand.

    The oldest go first, so none has left if the stream still holds one that was read. A group of
    unknown count (made by another program) gives 0 until it has reached the end once.
    """
    group = _ours(state)
    at = id_order(group["last-delivered-id"].decode())
    if state["length"] and id_order(state["recorded-first-entry-id"].decode()) <= at:
        return 0, False
    if group["entries-read"] is None:
        return 0, False
    n_gone = state["entries-added"] - state["length"] - group["entries-read"]
    return max(0, n_gone), id_order(state["max-deleted-entry-id"].decode()) > at


def _needed_from(group: dict[str, Any]) -> str | None:
    """Return the lowest id that a group has not acknowledged; `None` after the highest id."""
    if group["pending"]:
        return str(group["pending"][0][0].decode())
    milliseconds, sequence = id_order(group["last-delivered-id"].decode())
    if sequence == _MAX_SEQUENCE:
        return None if milliseconds == _MAX_SEQUENCE else f"{milliseconds + 1}-0"
    return f"{milliseconds}-{sequence + 1}"
