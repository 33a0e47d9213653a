"""The collected event log, asked from an event loop: one question at a time, answers kept."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cachetools import TTLCache

from nightshelf.service.dashboard.query import Asked, Row, figures


class Busy(Exception):  # noqa: N818 - a state, not an error
    """Another question is being answered."""


@dataclass(frozen=True)
class Limits:
    """How long an answer is kept, a question may take, and one may wait for its turn."""

    kept_s: float = 60.0
    query_s: float = 15.0
    turn_s: float = 5.0
    max_kept: int = 128


class EventLog:
    """Figures of the log in `folder`; it belongs to one event loop."""

    def __init__(self, folder: Path, limits: Limits = Limits()) -> None:
        self._folder = folder
        self.limits = limits
        self._turn = asyncio.Lock()
        self._worker = ThreadPoolExecutor(1, "dashboard")
        # Of answers and of questions under way alike: who asks the same waits for the same.
        self._flights: TTLCache[Asked, asyncio.Task[list[Row]]]
        self._flights = TTLCache(limits.max_kept, limits.kept_s)

    async def figures(self, asked: Asked) -> list[Row]:
        """Return what `dashboard_query.figures` does, or what it did within the last minute.

        Raises `Busy` where others take their turn for too long, `TooMuch` and `Unreadable`. One who
        stops waiting stops nothing.
        """
        flight = self._flights.get(asked)
        if flight is None:
            flight = self._flights[asked] = asyncio.create_task(self._read(asked))
            flight.add_done_callback(partial(self._landed, asked))
        return await asyncio.shield(flight)

    async def _read(self, asked: Asked) -> list[Row]:
        try:
            async with asyncio.timeout(self.limits.turn_s):
                await self._turn.acquire()
        except TimeoutError:
            raise Busy from None
        try:
            question = partial(figures, self._folder, asked, self.limits.query_s)
            return await asyncio.get_running_loop().run_in_executor(self._worker, question)
        finally:
            self._turn.release()

    def _landed(self, asked: Asked, flight: asyncio.Task[list[Row]]) -> None:
        """Keep no failure."""
        failed = flight.cancelled() or flight.exception()
        if failed and self._flights.get(asked) is flight:
            del self._flights[asked]
