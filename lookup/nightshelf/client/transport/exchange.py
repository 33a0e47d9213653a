"""A batch of commands to Redis and back in one round trip, in two colours.

redis-py makes the connections, as the client's pool has it; what goes over them is ours. Its
pipelines have the timeouts of their pool, where a call that has used up half its time has half of
it left, and they cost as much again as the round trip.
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
from nightshelf.client.transport.kept_connections import give, give_async, take, take_async

_CHUNK_BYTES = 65_536
#: Its types say that a command has one part.
_pack: Any = pack_command


def ask(client: Redis, batch: Batch, until: float) -> list[Any]:
    """Return a reply for each command, an error in place of one that was refused.

    `until` is in seconds of `time.monotonic`. A connection still to be made has its pool's time for
    each step; raises as `nightshelf.client.transport.connection.FAILURES` lists.
    """
    _left(until)
    packed = b"".join(map(_pack, batch))
    replies: list[Any] = []
    pool: Any = client.connection_pool
    line = take(pool)
    try:
        sock = line.connection._sock
        if sock is None:
            raise NoConnection("the client was closed meanwhile")
        sock.settimeout(_left(until))
        sock.sendall(packed)
        while not line.take(sock.recv(_CHUNK_BYTES), replies, len(batch)):
            sock.settimeout(_left(until))
        while line.pushes:
            line.connection._parser.handle_push_response(line.pushes.pop(0))
        sock.settimeout(line.connection.socket_timeout)  # as the client has it
    except BaseException:
        line.pooled.disconnect()  # what is still on its way belongs to nobody
        pool.release(line.pooled)
        raise
    give(pool, line)
    return replies


async def ask_async(client: "aio.Redis", batch: Batch, until: float) -> list[Any]:
    """Return what `ask` does; the time holds for making a connection as well."""
    packed = b"".join(map(_pack, batch))
    replies: list[Any] = []
    pool: Any = client.connection_pool
    async with asyncio.timeout(_left(until)):
        line = await take_async(pool)
        connection = line.connection
        try:
            stream = connection._reader
            connection._writer.write(packed)
            while not line.take(await stream.read(_CHUNK_BYTES), replies, len(batch)):
                pass
            while line.pushes:
                await connection._parser.handle_push_response(line.pushes.pop(0))
        except BaseException:
            await connection.disconnect(nowait=True)
            await pool.release(line.pooled)
            raise
        await give_async(pool, line)
    return replies


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise NoAnswer("the call's time is up")
    return left
