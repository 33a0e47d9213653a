"""One round trip of a batch of commands, for threads and asyncio.

redis-py opens the connections; commands and replies are sent and parsed here. Its pipelines know
only the timeout of their pool, not a call's remaining time, and cost as much again as the round
trip.
"""

import asyncio
import time
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
    release,
    release_async,
)

_CHUNK_BYTES = 65_536
#: Typed for commands of one part only.
_pack: Any = pack_command


def ask(client: Redis, batch: Batch, until: float) -> list[Any]:
    """Return a reply for each command, an error in place of a refused one.

    `until` is in seconds of `time.monotonic`; connecting has the pool's own timeouts. Raises as
    `nightshelf.client.transport.connection.FAILURES` lists.
    """
    _left(until)
    packed = b"".join(map(_pack, batch))
    replies: list[Any] = []
    pool: Any = client.connection_pool
    kept = acquire(pool)
    try:
        sock = kept.connection._sock
        if sock is None:
            raise NoConnection("the client was closed meanwhile")
        sock.settimeout(_left(until))
        sock.sendall(packed)
        while not kept.feed(sock.recv(_CHUNK_BYTES), replies, len(batch)):
            sock.settimeout(_left(until))
        while kept.pushes:
            kept.connection._parser.handle_push_response(kept.pushes.pop(0))
        sock.settimeout(kept.connection.socket_timeout)  # the client's own
    except BaseException:
        kept.pooled.disconnect()  # late replies must not reach the next call
        pool.release(kept.pooled)
        raise
    release(pool, kept)
    return replies


async def ask_async(client: "aio.Redis", batch: Batch, until: float) -> list[Any]:
    """Return replies as `ask`; the time includes connecting."""
    packed = b"".join(map(_pack, batch))
    replies: list[Any] = []
    pool: Any = client.connection_pool
    async with asyncio.timeout(_left(until)):
        kept = await acquire_async(pool)
        connection = kept.connection
        try:
            stream = connection._reader
            connection._writer.write(packed)
            while not kept.feed(await stream.read(_CHUNK_BYTES), replies, len(batch)):
                pass
            while kept.pushes:
                await connection._parser.handle_push_response(kept.pushes.pop(0))
        except BaseException:
            await connection.disconnect(nowait=True)
            await pool.release(kept.pooled)
            raise
        await release_async(pool, kept)
    return replies


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise NoAnswer("the call's time is up")
    return left
