"""Bounds on the connections of one process: their number, and the time that a peer may take.

`nightshelf.service.protocol` reports when a connection waits (docs/decisions/0036-bounds.md).
"""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from nightshelf.service.metrics import Metrics

#: Seconds between two searches for overdue connections.
_SWEEP_S = 0.5


class Waiting(Protocol):
    """A connection that can be ended."""

    def overdue(self) -> None:
        """End an overdue connection, with a response where possible."""

    def drop(self) -> None:
        """End the connection at once."""


@dataclass(eq=False)
class Connections:
    """Bounds on connections and requests, and the waiting connections, the longest first.

    - `max_connections`: beyond it the one that has waited longest is dropped.
    - `max_head_bytes`: of a request line with its headers, and of trailers.
    - `max_body_bytes`: of a body that is read to its end after its response.
    - `receive_s`: how long a peer may take to send a request, or to read a response.
    """

    max_connections: int
    max_head_bytes: int
    max_body_bytes: int
    receive_s: float
    metrics: Metrics
    _since: dict[Waiting, float] = field(default_factory=dict)
    _sweeper: asyncio.TimerHandle | None = None

    def waits(self, connection: Waiting, yes: bool) -> None:
        """Record whether the connection waits for its peer from now on."""
        self._since.pop(connection, None)
        if yes:
            loop = asyncio.get_running_loop()
            self._since[connection] = loop.time()
            if self._sweeper is None:
                self._sweeper = loop.call_later(_SWEEP_S, self._sweep)

    def makes_room(self, n_connections: int) -> bool:
        """Tell whether one of so many may stay, dropping the longest waiting one if needed."""
        if n_connections <= self.max_connections:
            return True
        self.metrics.dropped("full")
        oldest = next(iter(self._since), None)
        if oldest is None:
            return False
        oldest.drop()
        return True

    def _sweep(self) -> None:
        """End overdue connections, and search again later while any waits."""
        loop = asyncio.get_running_loop()
        before = loop.time() - self.receive_s
        overdue = []
        for connection, since in self._since.items():
            if since > before:
                break
            overdue.append(connection)
        for connection in overdue:
            self.metrics.dropped("slow")
            connection.overdue()
        self._sweeper = loop.call_later(_SWEEP_S, self._sweep) if self._since else None
