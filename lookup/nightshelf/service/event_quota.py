"""Callers' shares of the events that wait to be collected, as sent through this process."""

from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass
class _Part:
    """Counts by caller of consecutive events."""

    n_events: int = 0
    by_caller: Counter[Hashable] = field(default_factory=Counter)


class Shares:
    """Counts by caller of the newest events that this process recorded.

    The stream is first in, first out: of `n` waiting events at most the last `n` recorded here can
    be ours, so these bound each caller's share from above. Several processes only loosen the bound.
    """

    def __init__(self, max_events: int, share: float) -> None:
        self.most = max(1, int(max_events * share))
        #: Events are counted and dropped in parts, of which there are a few hundred.
        self._n_part = max(1, min(max_events // 100, self.most // 10))
        self._max_parts = 2 * max_events // self._n_part
        self._parts: deque[_Part] = deque()
        self._n_events = 0
        self._counts: Counter[Hashable] = Counter()

    def add(self, caller: Hashable, n: int) -> None:
        """Count recorded events of a caller."""
        if not self._parts or self._parts[-1].n_events >= self._n_part:
            self._parts.append(_Part())
        self._parts[-1].n_events += n
        self._parts[-1].by_caller[caller] += n
        self._counts[caller] += n
        self._n_events += n
        if len(self._parts) > self._max_parts:
            self._drop_oldest()

    def may_add(self, caller: Hashable, n: int) -> bool:
        """Tell whether a caller stays within its share."""
        return self._counts[caller] + n <= self.most

    def collected(self, n_waiting: int) -> None:
        """Drop counts of collected events, where `n_waiting` are left in the stream."""
        while self._parts and self._n_events - self._parts[0].n_events >= n_waiting:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = self._parts.popleft()
        self._n_events -= oldest.n_events
        self._counts -= oldest.by_caller
