"""Cache of decoded values in the process: bounded, least recently used out first.

Stale entries stay until evicted, to be served while Redis fails. Keys hold their generation, so a
new generation needs no clearing.
"""

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

from cachetools import LRUCache

#: Memory of a decoded value for each byte of its JSON, and of an entry beside it (measured in
#: tests/lookup/client/test_cache.py, rounded up).
EXPANSION, ENTRY_BYTES = 8, 1_000
#: Bound of -log(random): an entry this many read times before its expiry is never read early.
_EARLIEST = 20.0


class CacheEntry(NamedTuple):
    """A value, `None` for an absent key; times in seconds of the cache's clock.

    `took_s` is the duration of its read, `n_bytes` its estimated memory.
    """

    value: Any
    fresh_until: float
    took_s: float
    n_bytes: int


@dataclass
class CacheStats:
    """Counts of hits, misses and stale entries served while Redis failed."""

    hits: int = 0
    misses: int = 0
    stale: int = 0


class Cache:
    """Thread-safe LRU cache with early expiry; `chance` draws from (0, 1]."""

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
        self._entries: LRUCache[str, CacheEntry] = LRUCache(
            max_bytes, getsizeof=lambda entry: entry.n_bytes
        )
        self._stale_s = stale_s
        self._beta = beta
        self._clock = clock
        self._chance = chance
        self._lock = Lock()
        self.stats = CacheStats()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def n_bytes(self) -> int:
        """Estimated memory of all entries."""
        return int(self._entries.currsize)

    def lookup(self, keys: Iterable[str]) -> tuple[dict[str, Any], list[str], list[str]]:
        """Return fresh values by key, the keys that are not fresh, and those to refresh early."""
        now = self._clock()
        fresh: dict[str, Any] = {}
        due, early = [], []
        with self._lock:
            for key in keys:
                entry = self._entries.get(key)
                if entry is None or now >= entry.fresh_until:
                    due.append(key)
                    continue
                fresh[key] = entry.value
                if entry.fresh_until - now < _EARLIEST * entry.took_s and self._draws(entry, now):
                    early.append(key)
            self.stats.hits += len(fresh)
            self.stats.misses += len(due)
        return fresh, due, early

    def _draws(self, entry: CacheEntry, now: float) -> bool:
        """Draw whether to refresh an entry early, the likelier the nearer its expiry.

        XFetch: Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede
        Prevention", VLDB 2015: ``now - took * beta * log(chance) >= expiry``.
        """
        return now - entry.took_s * self._beta * math.log(self._chance()) >= entry.fresh_until

    def peek(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return fresh values that are not due for an early refresh, without counting them."""
        now = self._clock()
        with self._lock:
            entries = {key: self._entries.get(key) for key in keys}
        return {
            key: entry.value
            for key, entry in entries.items()
            if entry
            and entry.fresh_until - now >= _EARLIEST * entry.took_s
            and now < entry.fresh_until
        }

    def stale(self, key: str) -> CacheEntry | None:
        """Return an entry, fresh or not, to serve while Redis fails; `None` where too old."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or self._clock() >= entry.fresh_until + self._stale_s:
                return None
            self.stats.stale += 1
            return entry

    def put(self, key: str, value: Any, *, fresh_s: float, took_s: float, n_bytes: int) -> None:
        """Cache a value of `n_bytes` of JSON; one larger than the cache is not kept."""
        now = self._clock()
        size = ENTRY_BYTES + EXPANSION * n_bytes
        with self._lock:
            if size > self._entries.maxsize:
                self._entries.pop(key, None)
                return
            self._entries[key] = CacheEntry(value, now + fresh_s, took_s, size)
            while len(self._entries) > self._max_entries:
                self._entries.popitem()

    def drop(self, keys: Iterable[str]) -> None:
        """Remove these keys."""
        with self._lock:
            for key in keys:
                self._entries.pop(key, None)

    def drop_where(self, matches: Callable[[str], bool]) -> None:
        """Remove every key that `matches`; walks all of them."""
        with self._lock:
            for key in [key for key in self._entries if matches(key)]:
                del self._entries[key]

    def age(self, matches: Callable[[str], bool]) -> None:
        """Make every key that `matches` stale."""
        now = self._clock()
        with self._lock:
            for key, entry in [pair for pair in self._entries.items() if matches(pair[0])]:
                self._entries[key] = entry._replace(fresh_until=min(now, entry.fresh_until))
