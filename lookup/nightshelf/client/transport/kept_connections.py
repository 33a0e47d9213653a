"""Connections kept between reads, with a reply parser each, for threads and asyncio.

The client's pool creates them and logs in. Checking one out and in costs a third of a round trip
(asyncio: a half), so a few are kept. One that is broken or has unread bytes goes back to the pool.
"""

import os
from contextlib import suppress
from typing import Any

from hiredis import PushNotification, Reader
from redis.asyncio import sentinel as aio
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import InvalidResponse
from redis.sentinel import SentinelConnectionPool

from nightshelf.client.core.failures import FAILURES

#: Kept at most, and at most this share of a pool: the rest is for other commands.
_MAX_KEPT, _ONE_IN = 8, 4
#: The reader's value for an incomplete reply; `None` is a reply.
_MORE = object()


class KeptConnection:
    """A connection of redis-py with our own reader for its replies.

    `pooled` is the pool's object, and `connection` the one behind it where the client has a cache
    of its own. `pushes` are server pushes, which the client must handle.
    """

    __slots__ = ("_reader", "connection", "pooled", "pushes")

    def __init__(self, pooled: Any) -> None:
        self.pooled = pooled
        self.connection = getattr(pooled, "_conn", pooled)
        self.pushes: list[Any] = []
        # Without an encoding: lists come as bytes, whatever the client does with texts.
        self._reader = Reader(
            replyError=self.connection._parser.parse_error,
            protocolError=InvalidResponse,
            notEnoughData=_MORE,
        )

    def feed(self, data: bytes, replies: list[Any], n: int) -> bool:
        """Append the replies that end with these bytes; tell whether all `n` are there.

        Raises for more than `n`, for a closed connection, and for a server that serves nobody.
        """
        if not data:
            raise NoConnection("the server closed the connection")
        reader = self._reader
        reader.feed(data)
        while (reply := reader.gets()) is not _MORE:
            if isinstance(reply, NoConnection):  # loading, or an invalid login
                raise reply
            (self.pushes if isinstance(reply, PushNotification) else replies).append(reply)
        if len(replies) > n:
            raise InvalidResponse("more replies than commands")
        return len(replies) == n


def acquire(pool: Any) -> KeptConnection:
    """Return a connection that is ready to send on; raises as the pool does."""
    idle = _idle(pool)
    while idle:
        try:
            kept = idle.pop()
        except IndexError:  # another thread was faster
            break
        connection = kept.connection
        if connection.pid != os.getpid():  # the parent's, from before a fork
            connection.disconnect()
            continue
        try:
            if connection.is_connected and not connection.can_read():
                return kept
        except FAILURES:  # closed by the server
            pass
        pool.release(kept.pooled)
    return KeptConnection(pool.get_connection())


def release(pool: Any, kept: KeptConnection) -> None:
    """Keep a connection that has all its replies, or give it back to the pool."""
    idle = _idle(pool)
    if _has_room(pool, idle, kept):
        idle.append(kept)
    else:
        pool.release(kept.pooled)


def discard(pool: Any, kept: KeptConnection) -> None:
    """Close a connection whose replies are not wanted any more, and give it back to the pool.

    Where Sentinel names the server, the others may lead to one that is a primary no longer.
    """
    kept.pooled.disconnect()
    pool.release(kept.pooled)
    if isinstance(pool, SentinelConnectionPool):
        idle = _idle(pool)
        while idle:
            with suppress(IndexError):  # another thread was faster
                other = idle.pop().pooled
                other.disconnect()
                pool.release(other)


def has_kept(pool: Any) -> bool:
    """Tell whether a connection is at hand."""
    return bool(_idle(pool))


async def acquire_async(pool: Any) -> KeptConnection:
    """Return a connection that is ready to send on, as `acquire`."""
    idle = _idle(pool)
    while idle:
        kept = idle.pop()
        try:
            if kept.connection.is_connected and not await kept.connection.can_read():
                return kept
        except FAILURES:
            pass
        await pool.release(kept.pooled)
    return KeptConnection(await pool.get_connection())


async def discard_async(pool: Any, kept: KeptConnection) -> None:
    """Close a connection, as `discard`."""
    await kept.connection.disconnect(nowait=True)
    await pool.release(kept.pooled)
    if isinstance(pool, aio.SentinelConnectionPool):
        idle = _idle(pool)
        while idle:
            other = idle.pop().pooled
            await other.disconnect(nowait=True)
            await pool.release(other)


async def release_async(pool: Any, kept: KeptConnection) -> None:
    """Keep a connection, or give it back, as `release`."""
    idle = _idle(pool)
    if _has_room(pool, idle, kept):
        idle.append(kept)
    else:
        await pool.release(kept.pooled)


def _idle(pool: Any) -> list[KeptConnection]:
    """Return a pool's kept connections, the latest last; they live as long as the pool."""
    idle: list[KeptConnection] = vars(pool).setdefault("_nightshelf_kept", [])
    return idle


def _has_room(pool: Any, idle: list[KeptConnection], kept: KeptConnection) -> bool:
    room = min(_MAX_KEPT, pool.max_connections // _ONE_IN)
    return len(idle) < room and not kept.connection.should_reconnect()
