"""State shared by all calls of a client (cache, breaker, pointer), and the state of one call."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock

from cachetools import TTLCache

from nightshelf.client.core.backlog import Backlog
from nightshelf.client.core.cache import Cache
from nightshelf.client.core.circuit_breaker import Breaker
from nightshelf.client.core.failures import TROUBLE, cause_of, failure
from nightshelf.client.core.masking import NO_MASKS, Masks
from nightshelf.client.core.protocol import NoReply
from nightshelf.client.core.single_flight import SingleFlight
from nightshelf.client.core.stored_list import StoredList
from nightshelf.client.results import Counters, source_kind
from nightshelf.client.settings import ReadSettings
from nightshelf.contract.keys import DEFAULT_TTL_S, FALLBACK_TTL_FACTOR, Keys, user_tag
from nightshelf.contract.values import Manifest, instant

#: Users whose masked items a process remembers by itself, in case Redis does not record them.
_MAX_USERS_HERE = 10_000


@dataclass(frozen=True)
class PointerSnapshot:
    """The live manifest and the hidden items as last read; `at` in seconds of the clock."""

    at: float = float("-inf")
    live: Manifest | None = None
    published_s: float | None = None
    blocked: frozenset[str] = frozenset()
    unavailable: frozenset[str] = frozenset()
    masks: Masks = NO_MASKS


@dataclass
class CallState:
    """State of one call; `asked`: Redis was asked, `failed`: the cause once Redis failed.

    `missed`: a node of a cluster did not give what was asked of it, and others go on.
    """

    pointer: PointerSnapshot = field(default_factory=PointerSnapshot)
    asked: bool = False
    failed: str | None = None
    missed: bool = False


class ClientState:
    """State that all calls of one client share; safe for threads and tasks."""

    def __init__(
        self,
        namespace: str,
        settings: ReadSettings,
        clock: Callable[[], float],
        chance: Callable[[], float] | None = None,
    ) -> None:
        self.keys = Keys(namespace)
        self.mask_key = self.keys.masks.key
        self.settings = settings
        self.clock = clock
        bounds = (settings.max_entries, settings.max_bytes, settings.stale_s, settings.beta, clock)
        self.cache = Cache(*bounds, chance) if chance else Cache(*bounds)
        self.single_flight = SingleFlight()
        self.breaker = Breaker(settings.breaker_after, settings.breaker_wait_s, clock)
        self.backlog = Backlog(settings.max_events, clock)
        self.causes: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self.redis_hits = self.redis_misses = self.unknown_actions = 0
        self.pointer = PointerSnapshot()
        self.last_good: tuple[Manifest, StoredList] | None = None
        self.listening = False
        self._lock = Lock()
        self._any_masked_here = False
        self._masked_here: TTLCache[str, frozenset[str]] = TTLCache(
            _MAX_USERS_HERE, FALLBACK_TTL_FACTOR * DEFAULT_TTL_S, timer=clock
        )

    def refused_by_breaker(self) -> NoReply | None:
        """Return the reply of an open breaker; `None` where Redis may be asked."""
        if self.breaker.admits():
            return None
        self.count("breaker")
        return NoReply("breaker", "Redis failed a moment ago")

    def failed(self, error: Exception, timeout_s: float | None = None) -> NoReply:
        """Count a failure, and return the reply of it; `timeout_s` is the time waited, if known."""
        cause = cause_of(error)
        self.count(cause)
        if cause in TROUBLE:
            self.breaker.failed()
        return NoReply(cause, str(failure(error, timeout_s)))

    def count(self, cause: str, n: int = 1) -> None:
        """Add `n` to the count of a cause."""
        with self._lock:
            self.causes[cause] += n

    def unknown_action(self) -> None:
        """Count an action of a type that the live generation does not define."""
        with self._lock:
            self.unknown_actions += 1

    def count_answer(self, source: str) -> None:
        """Count an answer by the kind of its source."""
        kind = source_kind(source)
        with self._lock:
            self.sources[kind] += 1

    def count_value(self, found: bool) -> None:
        """Count a value that Redis was asked for, as hit or miss."""
        with self._lock:
            if found:
                self.redis_hits += 1
            else:
                self.redis_misses += 1

    def counters(self) -> Counters:
        """Return the counters."""
        stats = self.cache.stats
        with self._lock:
            causes, sources = dict(self.causes), dict(self.sources)
            asked = self.redis_hits, self.redis_misses
        kept = len(self.cache), self.cache.n_bytes
        counts = stats.hits, stats.misses, stats.stale
        pointer, is_open = self.pointer, self.breaker.is_open
        live = (pointer.live.generation if pointer.live else None, age_s(pointer.published_s))
        left_out = int(pointer.live.metrics.get("models_left_out", 0)) if pointer.live else None
        rest = self.unknown_actions, left_out
        counted = Counters(causes, sources, *counts, *kept, *asked, is_open, *live, *rest)
        coverage, diversity, left_s = _of_night(pointer.live)
        return replace(counted, coverage=coverage, diversity=diversity, keys_expire_s=left_s)

    def masked_here(self, user: str) -> frozenset[str]:
        """Return the items that this process masks for a user by itself."""
        if not self._any_masked_here:
            return frozenset()
        with self._lock:
            return self._masked_here.get(user, frozenset())

    def remember(self, user: str, item: str) -> None:
        """Mask an item for a user in this process, whether or not Redis records it."""
        self._any_masked_here = True
        with self._lock:
            self._masked_here[user] = self._masked_here.get(user, frozenset()) | {item}

    def forget(self, user: str) -> None:
        """Drop everything of a user."""
        with self._lock:
            self._masked_here.pop(user, None)
        tag = user_tag(user)
        self.cache.drop_where(lambda key: key.endswith(tag))

    def drop(self, keys: Iterable[str]) -> None:
        """Read these keys again next time, also where a read is in flight."""
        keys = list(keys)
        self.single_flight.detach(keys)
        self.cache.drop(keys)

    def keys_of(self, user: str) -> list[str]:
        """Return a user's keys that an action changes, in the live generation and its canary."""
        keys, live = [self.keys.masked(user), self.keys.row_update(user)], self.pointer.live
        keys.append(self.keys.recent(user))
        if live:
            served = [(live.generation, {*live.models, live.default_model})]
            if live.canary:
                models = {each.model for one in live.experiments for each in one.variants}
                served.append((live.canary.generation, models | {live.canary.default_model}))
            for at, models in served:
                keys.append(self.keys.user(at, user))
                keys += [self.keys.list(at, model, user) for model in models]
        return keys


def published_s(live: Manifest | None) -> float | None:
    """Return the time of publication in Unix seconds; `None` where the manifest has none."""
    at: datetime | None = instant(live.published_at) if live else None
    return at.astimezone(UTC).timestamp() if at else None


def age_s(since_s: float | None) -> float | None:
    """Return the age in seconds, at least 0."""
    return None if since_s is None else max(0.0, time.time() - since_s)


def _of_night(live: Manifest | None) -> tuple[float | None, float | None, float | None]:
    """Return coverage and diversity of a manifest, and the seconds until its first key expires."""
    if live is None:
        return None, None, None
    until = live.whole_until
    left_s = (until - datetime.now(UTC)).total_seconds() if until else None
    return live.metrics.get("coverage"), live.metrics.get("diversity"), left_s
