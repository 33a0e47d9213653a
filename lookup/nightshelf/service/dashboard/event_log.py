"""Queries on the collected event log from an event loop: one at a time, results cached."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cachetools import TTLCache

from nightshelf.service.dashboard.query import Asked, Row, figures


class Busy(Exception):  # noqa: N818 - a state, not an error
    """Another query is running."""


@dataclass(frozen=True)
class Limits:
    """Seconds that a result is cached, a query may run, and a caller may wait for its turn."""

    kept_s: float = 60.0
    query_s: float = 15.0
    turn_s: float = 5.0
    max_kept: int = 128


class EventLog:
    """Figures of the log in `folder`, for one event loop."""

    def __init__(self, folder: Path, limits: Limits = Limits()) -> None:
        self._folder = folder
        self.limits = limits
        self._turn = asyncio.Lock()
        self._worker = ThreadPoolExecutor(1, "dashboard")
        # Finished and running queries: equal queries share one.
        self._queries: TTLCache[Asked, asyncio.Task[list[Row]]]
        self._queries = TTLCache(limits.max_kept, limits.kept_s)

    async def figures(self, asked: Asked) -> list[Row]:
        """Return the rows of `query.figures`, at most a minute old.

        Raises `Busy` after `turn_s` in the queue, `TooMuch` and `Unreadable`. Cancelling a caller
        does not cancel the query.
        """
        query = self._queries.get(asked)
        if query is None:
            query = self._queries[asked] = asyncio.create_task(self._read(asked))
            query.add_done_callback(partial(self._drop_failure, asked))
        return await asyncio.shield(query)

    async def _read(self, asked: Asked) -> list[Row]:
        try:
            async with asyncio.timeout(self.limits.turn_s):
                await self._turn.acquire()
        except TimeoutError:
            raise Busy from None
        try:
            read = partial(figures, self._folder, asked, self.limits.query_s)
            return await asyncio.get_running_loop().run_in_executor(self._worker, read)
        finally:
            self._turn.release()

    def _drop_failure(self, asked: Asked, query: asyncio.Task[list[Row]]) -> None:
        """Remove a failed query, so that the next caller runs it again."""
        failed = query.cancelled() or query.exception()
        if failed and self._queries.get(asked) is query:
            del self._queries[asked]
