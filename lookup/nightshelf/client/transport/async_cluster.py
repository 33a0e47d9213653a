"""Client of a Redis Cluster for asyncio, for reads and tracking."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from redis import asyncio as aio

from nightshelf.client.core.failures import FAILURES, NotAsked
from nightshelf.client.core.protocol import Batch
from nightshelf.client.transport.exchange import ManyAsyncServers, ask_async
from nightshelf.client.transport.many_servers import Answer
from nightshelf.client.transport.route import Requests, Route, batch_route, map_route
from nightshelf.client.transport.slots import Node, Nodes

T = TypeVar("T")


class AsyncClusterClient(aio.Redis, ManyAsyncServers):  # type: ignore[misc]  # redis-py's own
    """A client of a cluster for one event loop; otherwise as `ClusterClient`."""

    def __init__(self, seeds: Sequence[Node], pool_of: Callable[[Node], Any]) -> None:
        self.nodes = Nodes(seeds)
        self._pool_of = pool_of
        self._clients: dict[Node, aio.Redis] = {}
        super().__init__(connection_pool=pool_of(seeds[0]))

    def client_of(self, node: Node) -> "aio.Redis":
        """Return the client of one node."""
        found = self._clients.get(node)
        return found or self._clients.setdefault(node, aio.Redis.from_pool(self._pool_of(node)))

    async def ask(self, batch: Batch, until: float) -> list[Any]:
        """Return a reply for each command, within the deadline: `exchange.ask_async`."""
        if self.nodes.is_due:
            await self._drive(map_route(self.nodes), until, share=0.5)
        return await self._drive(batch_route(self.nodes, batch), until)

    def pubsub(self, **kwargs: Any) -> Any:
        """Return a subscription on any node: messages reach all of them."""
        return self.client_of(self.nodes.tellers()[0]).pubsub(**kwargs)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the connections to all nodes."""
        for client in (*self._clients.values(),):
            await client.aclose()
        await super().aclose(close_connection_pool)

    async def _drive(self, steps: Route[T], until: float, share: float = 1.0) -> T:
        answers: Any = None
        try:
            while True:
                requests = steps.send(answers)
                now = time.monotonic()
                answers = await self._asked(requests, now + share * (until - now))
        except StopIteration as done:
            result: T = done.value
            return result

    async def _asked(self, requests: Requests, until: float) -> dict[Node, Answer]:
        asked = [self._ask_one(node, batch, until) for node, batch in requests.items()]
        if len(asked) == 1:
            return dict(zip(requests, [await asked[0]], strict=True))
        return dict(zip(requests, await asyncio.gather(*asked), strict=True))

    async def _ask_one(self, node: Node, batch: Batch, until: float) -> Answer:
        if time.monotonic() >= until:
            return NotAsked("the call's time is up")
        try:
            return await ask_async(self.client_of(node), batch, until)
        except FAILURES as error:
            return error
