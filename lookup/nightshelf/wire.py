"""A batch of commands to Redis and back in one round trip, in two colours.

redis-py connects, logs in and keeps the connections, as the client's pool has it. In between the
bytes are ours: its pipelines have the timeouts of their pool, where a call that has used up half
its time has half of it left, and they cost as much again as the round trip.
"""

import asyncio
import time
from typing import Any

from hiredis import PushNotification, Reader, pack_command
from redis import Redis
from redis import asyncio as aio
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as NoAnswer

from nightshelf.at_hand import give, give_async, take, take_async
from nightshelf.reading.talk import Batch

_CHUNK_BYTES = 65_536
#: What a reader says that has not all of a reply yet; `None` is a reply.
_MORE = object()
#: Its types say a command has one part.
_pack: Any = pack_command


def ask(client: Redis, batch: Batch, until: float) -> list[Any]:
    """Return a reply for each command, an error in place of one that was refused.

    `until` is in seconds of `time.monotonic`. A connection still to be made has its pool's time for
    each step; raises as `nightshelf.connection.FAILURES` lists.
    """
    _left(until)
    packed = b"".join(map(_pack, batch))
    pool: Any = client.connection_pool
    connection = take(pool)
    try:
        line = getattr(connection, "_conn", connection)  # behind a cache of the client's own
        replies = Replies(line, len(batch))
        sock = line._sock
        sock.settimeout(_left(until))
        sock.sendall(packed)
        while not replies.take(sock.recv(_CHUNK_BYTES)):
            sock.settimeout(_left(until))
        sock.settimeout(line.socket_timeout)  # as the client has it
        for push in replies.pushes:
            line._parser.handle_push_response(push)
    except BaseException:
        connection.disconnect()  # what is still on its way belongs to nobody
        pool.release(connection)
        raise
    give(pool, connection)
    return replies.came


async def ask_async(client: "aio.Redis", batch: Batch, until: float) -> list[Any]:
    """Return what `ask` does; the time holds for making a connection as well."""
    packed = b"".join(map(_pack, batch))
    pool: Any = client.connection_pool
    async with asyncio.timeout(_left(until)):
        connection = await take_async(pool)
        try:
            replies = Replies(connection, len(batch))
            connection._writer.write(packed)
            while not replies.take(await connection._reader.read(_CHUNK_BYTES)):
                pass
            for push in replies.pushes:
                await connection._parser.handle_push_response(push)
        except BaseException:
            await connection.disconnect(nowait=True)
            await pool.release(connection)
            raise
        await give_async(pool, connection)
    return replies.came


class Replies:
    """The replies to one batch, out of the bytes as they come; made anew for each.

    `pushes` are what the server said without being asked, which is for the client to hear.
    """

    def __init__(self, connection: Any, n: int) -> None:
        # Without an encoding: whatever the client does with texts, lists come as bytes.
        self._reader = Reader(
            replyError=connection._parser.parse_error,
            protocolError=InvalidResponse,
            notEnoughData=_MORE,
        )
        self._n = n
        self.came: list[Any] = []
        self.pushes: list[Any] = []

    def take(self, data: bytes) -> bool:
        """Take more bytes, and tell whether that is all; raises where it is more, or the end."""
        if not data:
            raise NoConnection("the server closed the connection")
        reader = self._reader
        reader.feed(data)
        while (reply := reader.gets()) is not _MORE:
            if isinstance(reply, NoConnection):  # loading, say: no reply to follow counts
                raise reply
            (self.pushes if isinstance(reply, PushNotification) else self.came).append(reply)
        if len(self.came) > self._n:
            raise InvalidResponse("more replies than commands")
        return len(self.came) == self._n and not reader.has_data()


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise NoAnswer("the call's time is up")
    return left
