"""Asyncio client: `AsyncShelf`, with the logic of `nightshelf.Shelf`."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar, overload

from redis import asyncio as aio

from nightshelf.client.core import feature_rows as features
from nightshelf.client.core import queries, status, tracking
from nightshelf.client.core.failures import FAILURES
from nightshelf.client.core.protocol import Batch, Exchange, NoReply
from nightshelf.client.core.state import CallState, ClientState
from nightshelf.client.core.tracking import TrackingReceipt
from nightshelf.client.event import Event
from nightshelf.client.filters import Filters
from nightshelf.client.results import Counters, Result, Status
from nightshelf.client.settings import ASKED, ReadSettings
from nightshelf.client.transport.connection import (
    READ_TIMEOUT_S,
    address,
    check_client,
    connect_async,
    deadline_s,
)
from nightshelf.client.transport.exchange import ask_async
from nightshelf.client.transport.listener import listen
from nightshelf.contract.experiment import Experiment
from nightshelf.contract.feature_rules import Counting
from nightshelf.contract.ids import is_one

T = TypeVar("T")
_RETRY_S = 0.1


class AsyncShelf:
    """Client of one namespace for one event loop; otherwise as `nightshelf.Shelf`."""

    def __init__(
        self,
        client: "aio.Redis",
        namespace: str,
        *,
        settings: ReadSettings = ReadSettings(),  # noqa: B008 - immutable
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] | None = None,
    ) -> None:
        check_client(client)
        self._client = client
        self._deadline_s = settings.deadline_s or deadline_s(client)
        self._state = ClientState(namespace, settings, clock, chance)

    @classmethod
    def from_url(
        cls,
        url: str,
        namespace: str,
        *,
        settings: ReadSettings = ReadSettings(),  # noqa: B008 - immutable
    ) -> "AsyncShelf":
        """Open a shelf with short timeouts and no retries; see `connect_async`."""
        client = connect_async(url, timeout_s=settings.deadline_s or READ_TIMEOUT_S)
        return cls(client, namespace, settings=settings)

    def __repr__(self) -> str:
        return f"AsyncShelf({address(self._client)}, {self._state.keys.namespace!r})"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def get(
        self,
        user: str,
        n: int = 10,
        *,
        model: str | None = None,
        filters: Filters | None = None,
        cursor: str | None = None,
        metadata: bool = False,
        forced: str | None = None,
    ) -> Result:
        """Return up to `n` items for any user: `Shelf.get`."""
        query = queries.get(self._state, user, n, model, filters, cursor, metadata, forced)
        return await self._run(query)

    async def get_many(self, users: Sequence[str], n: int = 10) -> list[Result]:
        """Return what `get` returns for each user: `Shelf.get_many`."""
        return await self._run(queries.get_many(self._state, users, n))

    async def similar(
        self, item: str, n: int = 10, *, user: str | None = None, metadata: bool = False
    ) -> Result:
        """Return up to `n` similar items: `Shelf.similar`."""
        return await self._run(queries.similar(self._state, item, n, user, metadata))

    async def popular(
        self,
        segment: str = "all",
        n: int = 10,
        *,
        user: str | None = None,
        metadata: bool = False,
    ) -> Result:
        """Return up to `n` popular items of a segment: `Shelf.popular`."""
        return await self._run(queries.popular(self._state, segment, n, user, metadata))

    @overload
    async def user_features(self, users: str) -> dict[str, Any]: ...
    @overload
    async def user_features(self, users: Sequence[str]) -> dict[str, dict[str, Any]]: ...
    async def user_features(self, users: str | Sequence[str]) -> dict[str, Any]:
        """Return a user's feature row, or those of many by id: `Shelf.user_features`."""
        if is_one(users):
            return (await self._run(features.of_users(self._state, [users]))).get(users, {})
        return await self._run(features.of_users(self._state, users))

    async def item_features(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the feature rows of items by id: `Shelf.item_features`."""
        return await self._run(features.of_items(self._state, ids))

    async def acted(
        self,
        user: str,
        action: str,
        item: str | None = None,
        value: float | None = None,
        **details: Any,
    ) -> TrackingReceipt:
        """Record a user's action: `Shelf.acted`."""
        event = Event(user, action, item, value, **details)
        return await self._run(tracking.acted(self._state, event))

    async def shown(
        self, user: str, result: Result, *, first: int = 1, variant: str | None = None
    ) -> TrackingReceipt:
        """Record that a user was shown a result: `Shelf.shown`."""
        return await self.record(tracking.shown_events(user, result, first, variant))

    async def clicked(self, user: str, item: str, **details: Any) -> TrackingReceipt:
        """Record a click on an item: `Shelf.clicked`."""
        return await self.record([Event(user, "click", item, **details)])

    async def record(self, events: Sequence[Event]) -> TrackingReceipt:
        """Record events without immediate effects: `Shelf.record`."""
        return await self._run(tracking.record(self._state, events))

    async def counting(self) -> Counting | None:
        """Return how the live generation counts event types: `Shelf.counting`."""
        return await self._run(tracking.live_counting(self._state))

    async def experiments(self) -> tuple[Experiment, ...]:
        """Return the live experiments: `Shelf.experiments`."""
        return await self._run(queries.experiments(self._state))

    async def n_waiting(self) -> int | None:
        """Return the number of events that wait to be collected: `Shelf.n_waiting`."""
        return await self._run(tracking.n_waiting(self._state, CallState()))

    async def status(self) -> Status:
        """Ask Redis what is live: `Shelf.status`."""
        return await self._run(status.read_status(self._state), always=True)

    def counters(self) -> Counters:
        """Return counts of failures by cause, results by source, and cache hits."""
        return self._state.counters()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Subscribe to invalidations by other processes, in a task."""
        task = asyncio.create_task(listen(self._client, self._state))
        try:
            yield
        finally:
            while not task.done():  # a cancellation may be lost in the client's own timeouts
                task.cancel()
                await asyncio.wait([task], timeout=_RETRY_S)
            with suppress(asyncio.CancelledError):
                task.result()

    async def _run(self, exchange: Exchange[T], *, always: bool = False) -> T:
        until = time.monotonic() + ASKED * self._deadline_s
        reply: Any = None
        try:
            while True:
                needed = exchange.send(reply)
                reply = None
                if isinstance(needed, list):
                    reply = await self._ask(needed, until, always)
                else:
                    left = max(0.0, until - time.monotonic())
                    await asyncio.wait([asyncio.wrap_future(needed)], timeout=left)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            exchange.close()

    async def _ask(self, batch: Batch, until: float, always: bool) -> list[Any] | NoReply:
        refused = None if always else self._state.refused_by_breaker()
        if refused:
            return refused
        try:
            replies = await ask_async(self._client, batch, until)
        except FAILURES as error:
            return self._state.failed(error, self._deadline_s)
        self._state.breaker.answered()
        return replies
