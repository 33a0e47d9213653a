"""What a process keeps of Redis: bounded, least recently used first out, fresh for a while.

Copies that are no longer fresh stay until they are pushed out: they serve where Redis fails. Keys
have their generation in them, so a flip needs no clearing.
"""

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

from cachetools import LRUCache

#: Memory of a decoded value for each byte of its JSON, and of an entry beside that (both measured
#: in tests/lookup/client/test_cache.py, rounded up).
EXPANSION, ENTRY_BYTES = 8, 1_000
#: Below this many times what a read took, -log of a random number is out of the question.
_EARLIEST = 20.0


class Copy(NamedTuple):
    """A value, `None` where the key is not there; times in seconds of the cache's clock.

    `took_s` is what reading it took, `n_bytes` about what it takes in memory.
    """

    value: Any
    fresh_until: float
    took_s: float
    n_bytes: int


@dataclass
class Tally:
    """What was found in the process, and what was not; `stale` counts what served in trouble."""

    hits: int = 0
    misses: int = 0
    stale: int = 0


class Cache:
    """Thread-safe; `chance` draws from 0 (not including it) to 1."""

    def __init__(
        self,
        max_entries: int,
        max_bytes: int,
        stale_s: float,
        beta: float,
        clock: Callable[[], float],
        chance: Callable[[], float] = lambda: 1.0 - random.random(),  # noqa: S311 - no secret
    ) -> None:
        self._max_entries = max_entries
        self._copies: LRUCache[str, Copy] = LRUCache(max_bytes, getsizeof=lambda copy: copy.n_bytes)
        self._stale_s = stale_s
        self._beta = beta
        self._clock = clock
        self._chance = chance
        self._lock = Lock()
        self.tally = Tally()

    def __len__(self) -> int:
        return len(self._copies)

    @property
    def n_bytes(self) -> int:
        """About how much memory the copies take."""
        return int(self._copies.currsize)

    def look(self, keys: Iterable[str]) -> tuple[dict[str, Any], list[str], list[str]]:
        """Return what is fresh by key, the keys that are not, and those to read anew early."""
        now = self._clock()
        fresh: dict[str, Any] = {}
        due, early = [], []
        with self._lock:
            for key in keys:
                copy = self._copies.get(key)
                if copy is None or now >= copy.fresh_until:
                    due.append(key)
                    continue
                fresh[key] = copy.value
                if copy.fresh_until - now < _EARLIEST * copy.took_s and self._draws(copy, now):
                    early.append(key)
            self.tally.hits += len(fresh)
            self.tally.misses += len(due)
        return fresh, due, early

    def _draws(self, copy: Copy, now: float) -> bool:
        """Draw whether to read it before its time, the likelier the nearer that is.

        XFetch: Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede
        Prevention", VLDB 2015: ``now - took * beta * log(chance) >= expiry``.
        """
        return now - copy.took_s * self._beta * math.log(self._chance()) >= copy.fresh_until

    def landed(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return what is fresh and not due to be read early, uncounted."""
        now = self._clock()
        with self._lock:
            copies = {key: self._copies.get(key) for key in keys}
        return {
            key: copy.value
            for key, copy in copies.items()
            if copy and copy.fresh_until - now >= _EARLIEST * copy.took_s and now < copy.fresh_until
        }

    def stale(self, key: str) -> Copy | None:
        """Return a copy, fresh or not, that may serve where Redis fails."""
        with self._lock:
            copy = self._copies.get(key)
            if copy is None or self._clock() >= copy.fresh_until + self._stale_s:
                return None
            self.tally.stale += 1
            return copy

    def put(self, key: str, value: Any, *, fresh_s: float, took_s: float, n_bytes: int) -> None:
        """Keep a value of `n_bytes` of JSON; one that is larger than the cache is not kept."""
        now = self._clock()
        size = ENTRY_BYTES + EXPANSION * n_bytes
        with self._lock:
            if size > self._copies.maxsize:
                self._copies.pop(key, None)
                return
            self._copies[key] = Copy(value, now + fresh_s, took_s, size)
            while len(self._copies) > self._max_entries:
                self._copies.popitem()

    def drop(self, keys: Iterable[str]) -> None:
        """Forget what is kept under these keys."""
        with self._lock:
            for key in keys:
                self._copies.pop(key, None)

    def drop_where(self, tells: Callable[[str], bool]) -> None:
        """Forget what is kept under every key that `tells`; walks all of them."""
        with self._lock:
            for key in [key for key in self._copies if tells(key)]:
                del self._copies[key]

    def age(self, tells: Callable[[str], bool]) -> None:
        """Keep what is under such keys for trouble only."""
        now = self._clock()
        with self._lock:
            for key, copy in [pair for pair in self._copies.items() if tells(pair[0])]:
                self._copies[key] = copy._replace(fresh_until=min(now, copy.fresh_until))
