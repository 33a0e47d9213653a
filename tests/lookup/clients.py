"""The blocking and the async client, called alike, and their round trips to Redis."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pytest

from nightshelf import AsyncShelf, Shelf
from nightshelf.client.transport import exchange as wire
from nightshelf.client.transport.connection import connect, connect_async
from tests.lookup.shelves import SHOP

CLIENTS = ("threads", "asyncio")


class Blocking:
    """An `AsyncShelf` whose every method is awaited at once, on an event loop of its own."""

    def __init__(self, wrapped: AsyncShelf) -> None:
        self._runner = asyncio.Runner()
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._wrapped, name)
        if not inspect.iscoroutinefunction(found):
            return found
        return lambda *args, **kwargs: self._runner.run(found(*args, **kwargs))

    def __repr__(self) -> str:
        return repr(self._wrapped)

    def close(self) -> None:
        self._runner.run(self._wrapped.aclose())
        self._runner.close()


class ShelfOf(Protocol):
    """Opens a shelf."""

    def __call__(
        self, url: str, namespace: str = SHOP, *, timeout_s: float = 5.0, **kwargs: Any
    ) -> Any: ...


@contextmanager
def opening(kind: str) -> Iterator[ShelfOf]:
    """Open shelves of threads or of asyncio; they are closed at the end."""
    opened: list[Blocking] = []
    clients: list[Any] = []

    def open_one(url: str, namespace: str = SHOP, *, timeout_s: float = 5.0, **kwargs: Any) -> Any:
        if kind == "threads":
            client = connect(url, timeout_s=timeout_s)
            clients.append(client)
            return Shelf(client, namespace, **kwargs)
        wrapped = AsyncShelf(connect_async(url, timeout_s=timeout_s), namespace, **kwargs)
        opened.append(Blocking(wrapped))
        return opened[-1]

    try:
        yield open_one
    finally:
        for each in opened:
            each.close()
        for client in clients:
            client.close()


class RoundTrips:
    """Records each round trip, and raises `fault` after `good_for` of them."""

    def __init__(self) -> None:
        self.batches: list[str] = []
        self.fault: Exception | None = None
        self.good_for = 0

    def note(self, batch: list[tuple[Any, ...]]) -> None:
        self.batches.append("+".join(command[0] for command in batch))
        if self.fault and len(self.batches) > self.good_for:
            raise self.fault


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[RoundTrips]:
    """Watch the round trips of both clients."""
    trips = RoundTrips()
    ask: Callable[..., Any] = wire.ask
    ask_async: Callable[..., Any] = wire.ask_async

    def asked(client: Any, batch: Any, until: float) -> Any:
        trips.note(batch)
        return ask(client, batch, until)

    async def asked_async(client: Any, batch: Any, until: float) -> Any:
        trips.note(batch)
        return await ask_async(client, batch, until)

    with monkeypatch.context() as patched:
        patched.setattr("nightshelf.client.shelf.ask", asked)
        patched.setattr("nightshelf.client.async_shelf.ask_async", asked_async)
        yield trips
