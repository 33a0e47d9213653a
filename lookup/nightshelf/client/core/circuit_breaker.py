"""Circuit breaker: after repeated failures only single probes reach Redis."""

from collections.abc import Callable
from threading import Lock


class Breaker:
    """Breaker that opens after `after` failures in a row; then one call every `wait_s` probes.

    A probe with a reply closes it. A probe that never ends (its thread died, its task was
    cancelled) blocks nothing: the next one is admitted `wait_s` later.
    """

    def __init__(self, after: int, wait_s: float, clock: Callable[[], float]) -> None:
        self._after = after
        self._wait_s = wait_s
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._probe_at = 0.0

    @property
    def is_open(self) -> bool:
        """True while all calls but probes are refused."""
        return self._failures >= self._after

    def admits(self) -> bool:
        """Tell whether to ask Redis now; while the breaker is open, an admitted call is a probe."""
        if self._failures < self._after:
            return True
        with self._lock:
            now = self._clock()
            if now < self._probe_at:
                return False
            self._probe_at = now + self._wait_s
            return True

    def answered(self) -> None:
        """Record a reply."""
        if self._failures:
            with self._lock:
                self._failures = 0

    def failed(self) -> None:
        """Record a failure."""
        with self._lock:
            self._failures += 1
            if self._failures == self._after:
                self._probe_at = self._clock() + self._wait_s
