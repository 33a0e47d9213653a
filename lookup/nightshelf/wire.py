"""A batch of commands to Redis and back in one round trip, in two colours.

redis-py's own pipelines have the timeouts of their pool; a call that has used up half its time has
half of it left. So the connection, out of the client's pool, is used directly.
"""

import asyncio
import time
from typing import Any

from redis import Redis
from redis import asyncio as aio
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as NoAnswer

from nightshelf.reading.talk import Batch


def ask(client: Redis, batch: Batch, until: float) -> list[Any]:
    """Return a reply for each command, an error in place of one that was refused.

    `until` is in seconds of `time.monotonic`. A connection still to be made has its pool's time for
    each step; raises as `nightshelf.connection.FAILURES` lists.
    """
    _left(until)
    pool: Any = client.connection_pool
    connection: Any = pool.get_connection()
    try:
        connection.send_packed_command(connection.pack_commands(batch))
        return [_reply(connection, until) for _ in batch]
    except BaseException:
        connection.disconnect()  # what is still on its way belongs to nobody
        raise
    finally:
        pool.release(connection)


def _reply(connection: Any, until: float) -> Any:
    try:
        return connection.read_response(timeout=_left(until))
    except ResponseError as error:
        return error


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise NoAnswer("the call's time is up")
    return left


async def ask_async(client: "aio.Redis", batch: Batch, until: float) -> list[Any]:
    """Return what `ask` does; the time holds for making a connection as well."""
    async with asyncio.timeout(_left(until)):
        pool: Any = client.connection_pool
        connection: Any = await pool.get_connection()
        try:
            await connection.send_packed_command(connection.pack_commands(batch))
            return [await _reply_async(connection) for _ in batch]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            await pool.release(connection)


async def _reply_async(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error
