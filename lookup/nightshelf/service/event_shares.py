"""How many of the events that wait to be collected each caller has told, through this process."""

from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass
class _Part:
    """Events that were recorded one after the other, by caller."""

    n_events: int = 0
    by_caller: Counter[Hashable] = field(default_factory=Counter)


class Shares:
    """Counts by caller the newest of the events that this process recorded.

    The stream is first in, first out. Where `n` events wait, none but the last `n` that this
    process recorded can be among them, so no caller has told more of them than of these. With
    several processes that is too many, by what the others recorded meanwhile at most.
    """

    def __init__(self, max_events: int, share: float) -> None:
        self.most = max(1, int(max_events * share))
        #: Events are counted and forgotten by the part, of which there are a few hundred.
        self._n_part = max(1, min(max_events // 100, self.most // 10))
        self._max_parts = 2 * max_events // self._n_part
        self._parts: deque[_Part] = deque()
        self._n_events = 0
        self._counts: Counter[Hashable] = Counter()

    def took(self, caller: Hashable, n: int) -> None:
        """Count events of a caller that have been recorded."""
        if not self._parts or self._parts[-1].n_events >= self._n_part:
            self._parts.append(_Part())
        self._parts[-1].n_events += n
        self._parts[-1].by_caller[caller] += n
        self._counts[caller] += n
        self._n_events += n
        if len(self._parts) > self._max_parts:
            self._forget()

    def may_add(self, caller: Hashable, n: int) -> bool:
        """Tell whether a caller stays within its share, as far as is known."""
        return self._counts[caller] + n <= self.most

    def waiting(self, n: int) -> None:
        """Forget what has been collected, where `n` events wait in all."""
        while self._parts and self._n_events - self._parts[0].n_events >= n:
            self._forget()

    def _forget(self) -> None:
        oldest = self._parts.popleft()
        self._n_events -= oldest.n_events
        self._counts -= oldest.by_caller
