"""What a shelf knows, shared by all its callers, and what one call finds out."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

from cachetools import TTLCache

from nightshelf.client.core.backlog import Backlog
from nightshelf.client.core.cache import Cache
from nightshelf.client.core.circuit_breaker import Breaker
from nightshelf.client.core.failures import TROUBLE, cause_of
from nightshelf.client.core.masking import NO_MASKS, Masks
from nightshelf.client.core.protocol import Unanswered
from nightshelf.client.core.redis_failures import failure
from nightshelf.client.core.single_flight import Flights
from nightshelf.client.core.stored_list import Shelved
from nightshelf.client.results import Counters, source_kind
from nightshelf.client.settings import ReadSettings
from nightshelf.contract.keys import DEFAULT_TTL_S, FALLBACK_TTL_FACTOR, Keys, encode_id
from nightshelf.contract.values import Manifest, instant

#: Users whose own actions a process remembers by itself, in case Redis does not take them.
_MAX_USERS_HERE = 10_000


@dataclass(frozen=True)
class Seen:
    """What a reader knows of the shelf for a second: what is live, and what is withdrawn."""

    at: float = float("-inf")
    live: Manifest | None = None
    published_s: float | None = None
    blocked: frozenset[str] = frozenset()
    unavailable: frozenset[str] = frozenset()
    masks: Masks = NO_MASKS


@dataclass
class Call:
    """One call: what it goes by, and how it fares; `failed` is why Redis failed it, once it has."""

    seen: Seen = field(default_factory=Seen)
    asked: bool = False
    failed: str | None = None


class Mind:
    """All that the calls of one shelf share; threads and tasks may use it at once."""

    def __init__(
        self,
        namespace: str,
        settings: ReadSettings,
        clock: Callable[[], float],
        chance: Callable[[], float] | None = None,
    ) -> None:
        self.keys = Keys(namespace)
        self.settings = settings
        self.clock = clock
        bounds = (settings.max_entries, settings.max_bytes, settings.stale_s, settings.beta, clock)
        self.cache = Cache(*bounds, chance) if chance else Cache(*bounds)
        self.flights = Flights()
        self.breaker = Breaker(settings.breaker_after, settings.breaker_wait_s, clock)
        self.backlog = Backlog(settings.max_events, clock)
        self.causes: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self.redis_hits = self.redis_misses = self.unknown_actions = 0
        self.seen = Seen()
        self.last_good: tuple[Manifest, Shelved] | None = None
        self.told = False
        self._lock = Lock()
        self._any_acted_here = False
        self._acted_here: TTLCache[str, frozenset[str]] = TTLCache(
            _MAX_USERS_HERE, FALLBACK_TTL_FACTOR * DEFAULT_TTL_S, timer=clock
        )

    def turned_away(self) -> Unanswered | None:
        """Return what to tell a call that shall not ask Redis now; `None` where it may."""
        if self.breaker.admits():
            return None
        self.count("breaker")
        return Unanswered("breaker", "Redis failed a moment ago")

    def failed(self, error: Exception, timeout_s: float | None = None) -> Unanswered:
        """Note that Redis did not answer, within `timeout_s` where that is known."""
        cause = cause_of(error)
        self.count(cause)
        if cause in TROUBLE:
            self.breaker.failed()
        return Unanswered(cause, str(failure(error, timeout_s)))

    def count(self, cause: str, n: int = 1) -> None:
        """Count one more of a cause, or `n`."""
        with self._lock:
            self.causes[cause] += n

    def unknown_action(self) -> None:
        """Count one more action of a type that the live night does not know."""
        with self._lock:
            self.unknown_actions += 1

    def came_from(self, source: str) -> None:
        """Count one more answer, by the kind of its source."""
        kind = source_kind(source)
        with self._lock:
            self.sources[kind] += 1

    def answered(self, there: bool) -> None:
        """Count a value that Redis was asked for, and had or had not."""
        with self._lock:
            if there:
                self.redis_hits += 1
            else:
                self.redis_misses += 1

    def counters(self) -> Counters:
        """Return all that has been counted."""
        tally = self.cache.tally
        with self._lock:
            causes, sources = dict(self.causes), dict(self.sources)
            asked = self.redis_hits, self.redis_misses
        kept = len(self.cache), self.cache.n_bytes
        counts = tally.hits, tally.misses, tally.stale
        seen, is_open = self.seen, self.breaker.is_open
        live = (seen.live.generation if seen.live else None, age_s(seen.published_s))
        unknown = self.unknown_actions
        return Counters(causes, sources, *counts, *kept, *asked, is_open, *live, unknown)

    def acted_here(self, user: str) -> frozenset[str]:
        """Return what this process was told that the user is done with."""
        if not self._any_acted_here:
            return frozenset()
        with self._lock:
            return self._acted_here.get(user, frozenset())

    def remember(self, user: str, item: str) -> None:
        """Mask an item for a user in this process at once, whatever Redis says."""
        self._any_acted_here = True
        with self._lock:
            self._acted_here[user] = self._acted_here.get(user, frozenset()) | {item}

    def forget(self, user: str) -> None:
        """Keep nothing of a user any longer."""
        with self._lock:
            self._acted_here.pop(user, None)
        end = f":{encode_id(user)}"
        self.cache.drop_where(lambda key: key.endswith(end))

    def drop(self, keys: Iterable[str]) -> None:
        """Read these keys anew the next time, also where a read is under way."""
        keys = list(keys)
        self.flights.divert(keys)
        self.cache.drop(keys)

    def keys_of(self, user: str) -> list[str]:
        """Return the keys of a user that an action changes, in the generations that are served."""
        keys, live = [self.keys.acted(user), self.keys.fresh(user)], self.seen.live
        keys.append(self.keys.lately(user))
        if live:
            served = [(live.generation, {*live.models, live.default_model})]
            if live.canary:
                served.append((live.canary.generation, {live.canary.default_model}))
            for at, models in served:
                keys.append(self.keys.user(at, user))
                keys += [self.keys.list(at, model, user) for model in models]
        return keys


def published_s(live: Manifest | None) -> float | None:
    """Return when a generation went live, in Unix seconds; `None` where it does not say."""
    at: datetime | None = instant(live.published_at) if live else None
    return at.astimezone(UTC).timestamp() if at else None


def age_s(since_s: float | None) -> float | None:
    """Return the seconds since, 0 at least."""
    return None if since_s is None else max(0.0, time.time() - since_s)
