"""A circuit breaker: a Redis that keeps failing is not asked by everyone, over and over."""

from collections.abc import Callable
from threading import Lock


class Breaker:
    """Opens after `after` failures in a row; then lets one probe through every `wait_s` seconds.

    A probe that is answered closes it. One that is never heard of again (its thread died, its task
    was cancelled) costs nothing: the next is let through when its time has come.
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
        """Whether all but probes are turned away."""
        return self._failures >= self._after

    def admits(self) -> bool:
        """Tell whether to ask Redis now; who is told so while it is open is the probe."""
        if self._failures < self._after:
            return True
        with self._lock:
            now = self._clock()
            if now < self._probe_at:
                return False
            self._probe_at = now + self._wait_s
            return True

    def answered(self) -> None:
        """Note that Redis answered."""
        if self._failures:
            with self._lock:
                self._failures = 0

    def failed(self) -> None:
        """Note that it did not."""
        with self._lock:
            self._failures += 1
            if self._failures == self._after:
                self._probe_at = self._clock() + self._wait_s
