"""One read of a key at a time, however many ask for it at once: threads, tasks, or both."""

from collections.abc import Iterable
from threading import Lock
from typing import Any

from nightshelf.client.core.protocol import Landing


class Flight:
    """A read under way; `brought` are its values by key once it has landed.

    `failed` is why it brought less than it should. Most are waited for by nobody, so `landing` is
    made for the first who does.
    """

    __slots__ = ("brought", "failed", "landing")

    def __init__(self) -> None:
        self.brought: dict[str, Any] | None = None
        self.failed: str | None = None
        self.landing: Landing | None = None


class Flights:
    """The reads that are under way, by key; `n_landed` counts those that have ended."""

    def __init__(self) -> None:
        self.n_landed = 0
        self._lock = Lock()
        self._by_key: dict[str, Flight] = {}

    def join(
        self, due: Iterable[str], early: Iterable[str] = ()
    ) -> tuple[Flight, list[str], dict[str, Flight]]:
        """Return a flight of one's own, the keys that it is to fetch, and whose is with others.

        Keys wanted `early` are left to others where others are at them. Who is given keys must
        `land` the flight, come what may.
        """
        flight, mine, theirs = Flight(), [], {}
        with self._lock:
            for key in due:
                other = self._by_key.setdefault(key, flight)
                if other is flight:
                    mine.append(key)
                else:
                    theirs[key] = other
                    if other.landing is None:
                        other.landing = Landing()
                        other.landing.set_running_or_notify_cancel()  # no waiter can cancel it
            for key in early:
                if self._by_key.setdefault(key, flight) is flight:
                    mine.append(key)
        return flight, mine, theirs

    def land(self, flight: Flight, keys: Iterable[str], values: dict[str, Any]) -> None:
        """End a flight with what it brought; all that wait for it go on."""
        with self._lock:
            for key in keys:
                if self._by_key.get(key) is flight:
                    del self._by_key[key]
            flight.brought = values
            self.n_landed += 1
        if flight.landing:
            flight.landing.set_result(None)

    def divert(self, keys: Iterable[str]) -> None:
        """Let what is under way for these keys be news to nobody but those who wait for it.

        It may have been read before what has happened since; who asks from now on reads anew, and
        `is_current` tells its reader not to keep it.
        """
        with self._lock:
            for key in keys:
                self._by_key.pop(key, None)

    def is_current(self, flight: Flight, key: str) -> bool:
        """Tell whether a flight's value may be kept."""
        return self._by_key.get(key) is flight
