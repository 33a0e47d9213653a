"""How many tracked events wait in the stream, so that a full one is not written to."""

from collections.abc import Callable

#: How long what Redis told of a full stream holds.
_HOLDS_S = 1.0
#: So many times `max_events` is where Redis itself drops the oldest, whoever wrote them.
HARD_FACTOR = 2


class Backlog:
    """The length of the stream as Redis told it last; `None` where it has not, or may not."""

    def __init__(self, max_events: int, clock: Callable[[], float]) -> None:
        self.max_events = max_events
        self.length: int | None = None
        self._clock = clock
        self._at = float("-inf")

    @property
    def is_full(self) -> bool:
        """Whether it held `max_events` or more."""
        return self.length is not None and self.length >= self.max_events

    @property
    def is_old(self) -> bool:
        """Whether it is time to ask again."""
        return self._clock() - self._at >= _HOLDS_S

    def note(self, reply: object) -> None:
        """Take what XLEN gave: a number, or an error."""
        self.length = reply if isinstance(reply, int) else None
        self._at = self._clock()
