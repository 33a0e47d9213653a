"""Length of the stream of tracked events, so that a full one gets no more."""

from collections.abc import Callable

#: How long a length counts as current, in seconds.
_HOLDS_S = 1.0
#: Redis drops the oldest events of any writer at so many times `max_events`.
HARD_FACTOR = 2


class Backlog:
    """Length of the stream as last read; `None` where it is unknown or the login lacks XLEN."""

    def __init__(self, max_events: int, clock: Callable[[], float]) -> None:
        self.max_events = max_events
        self.length: int | None = None
        self._clock = clock
        self._at = float("-inf")

    @property
    def is_full(self) -> bool:
        """True where it held `max_events` or more."""
        return self.length is not None and self.length >= self.max_events

    @property
    def is_old(self) -> bool:
        """True where it is time to read the length again."""
        return self._clock() - self._at >= _HOLDS_S

    def note(self, reply: object) -> None:
        """Record the reply of XLEN: a number or an error."""
        self.length = reply if isinstance(reply, int) else None
        self._at = self._clock()
