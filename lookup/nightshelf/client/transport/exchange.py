"""One round trip of a batch of commands, for threads and asyncio.

redis-py opens the connections; commands and replies are sent and parsed here. Its pipelines know
only the timeout of their pool, not a call's remaining time, and cost as much again as the round
trip.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Any

from hiredis import pack_command
from redis import Redis
from redis import asyncio as aio
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer

from nightshelf.client.core.protocol import Batch
from nightshelf.client.transport.kept_connections import (
    acquire,
    acquire_async,
    discard,
    discard_async,
    release,
    release_async,
)

CHUNK_BYTES = 65_536
#: Typed for commands of one part only.
pack: Any = pack_command


class ManyServers(ABC):
    """A client of several servers, which asks those that the commands are for."""

    @abstractmethod
    def ask(self, batch: Batch, until: float) -> list[Any]:
        """Return a reply for each command: `ask`."""


class ManyAsyncServers(ABC):
    """A client of several servers, for asyncio."""

    @abstractmethod
    async def ask(self, batch: Batch, until: float) -> list[Any]:
        """Return a reply for each command: `ask_async`."""


def ask(client: Redis | ManyServers, batch: Batch, until: float) -> list[Any]:
    """Return a reply for each command, an error in place of a refused one.

    `until` is in seconds of `time.monotonic`; connecting has the pool's own timeouts. Raises as
    `nightshelf.client.transport.connection.FAILURES` lists; a cluster's client raises only while it
    knows no node.
    """
    if isinstance(client, ManyServers):
        return client.ask(batch, until)
    _left(until)
    packed = b"".join(map(pack, batch))
    replies: list[Any] = []
    pool: Any = client.connection_pool
    kept = acquire(pool)
    try:
        sock = kept.connection._sock
        if sock is None:
            raise NoConnection("the client was closed meanwhile")
        sock.settimeout(_left(until))
        sock.sendall(packed)
        while not kept.feed(sock.recv(CHUNK_BYTES), replies, len(batch)):
            sock.settimeout(_left(until))
        while kept.pushes:
            kept.connection._parser.handle_push_response(kept.pushes.pop(0))
        sock.settimeout(kept.connection.socket_timeout)  # the client's own
    except BaseException:
        discard(pool, kept)  # late replies must not reach the next call
        raise
    release(pool, kept)
    return replies


async def ask_async(
    client: "aio.Redis | ManyAsyncServers", batch: Batch, until: float
) -> list[Any]:
    """Return replies as `ask`; the time includes connecting."""
    if isinstance(client, ManyAsyncServers):
        return await client.ask(batch, until)
    packed = b"".join(map(pack, batch))
    replies: list[Any] = []
    pool: Any = client.connection_pool
    async with asyncio.timeout(_left(until)):
        kept = await acquire_async(pool)
        connection = kept.connection
        try:
            stream = connection._reader
            connection._writer.write(packed)
            while not kept.feed(await stream.read(CHUNK_BYTES), replies, len(batch)):
                pass
            while kept.pushes:
                await connection._parser.handle_push_response(kept.pushes.pop(0))
        except BaseException:
            await discard_async(pool, kept)
            raise
        await release_async(pool, kept)
    return replies


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise NoAnswer("the call's time is up")
    return left
