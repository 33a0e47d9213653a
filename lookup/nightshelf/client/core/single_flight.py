"""One read in flight for a key, shared by all threads and tasks that ask for it."""

from collections.abc import Iterable
from threading import Lock
from typing import Any

from nightshelf.client.core.protocol import InFlight


class Read:
    """A read of some keys; `values` by key once it has ended, `failed` is the cause of a failure.

    `missed`: a node of a cluster did not give what was asked of it. Most reads have no waiter, so
    `in_flight` is created for the first one.
    """

    __slots__ = ("failed", "in_flight", "missed", "values")

    def __init__(self) -> None:
        self.values: dict[str, Any] | None = None
        self.failed: str | None = None
        self.missed = False
        self.in_flight: InFlight | None = None


class SingleFlight:
    """The reads in flight, by key; `n_finished` counts those that have ended."""

    def __init__(self) -> None:
        self.n_finished = 0
        self._lock = Lock()
        self._by_key: dict[str, Read] = {}

    def join(
        self, due: Iterable[str], early: Iterable[str] = ()
    ) -> tuple[Read, list[str], dict[str, Read]]:
        """Return a new read, the keys that it must fetch, and the reads that fetch the others.

        Keys wanted `early` are skipped where another read has them. A caller that is given keys
        must `finish` the read, also after a failure.
        """
        read, mine, theirs = Read(), [], {}
        with self._lock:
            for key in due:
                other = self._by_key.setdefault(key, read)
                if other is read:
                    mine.append(key)
                else:
                    theirs[key] = other
                    if other.in_flight is None:
                        other.in_flight = InFlight()
                        other.in_flight.set_running_or_notify_cancel()  # no waiter can cancel it
            for key in early:
                if self._by_key.setdefault(key, read) is read:
                    mine.append(key)
        return read, mine, theirs

    def finish(self, read: Read, keys: Iterable[str], values: dict[str, Any]) -> None:
        """End a read with its values, and wake its waiters."""
        with self._lock:
            for key in keys:
                if self._by_key.get(key) is read:
                    del self._by_key[key]
            read.values = values
            self.n_finished += 1
        if read.in_flight:
            read.in_flight.set_result(None)

    def detach(self, keys: Iterable[str]) -> None:
        """Detach running reads of these keys after a change.

        Current waiters get the value, it is not cached (`is_current`), later callers read again.
        """
        with self._lock:
            for key in keys:
                self._by_key.pop(key, None)

    def is_current(self, read: Read, key: str) -> bool:
        """Tell whether the value of a read may be cached."""
        return self._by_key.get(key) is read
