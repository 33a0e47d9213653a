"""Connections kept at hand between one read and the next, in two colours.

They are the client's pool's own, made and logged in by it. Its way of giving one out and taking it
back costs a third of a round trip (asyncio: a half), so a few are not handed back in between. One
that is not as it was left goes back to the pool, which mends it.
"""

import os
from typing import Any

from nightshelf.connection import FAILURES

#: Kept at most, and at most this share of a pool: the rest is there for whatever else asks.
_MOST, _SHARE = 8, 4


def take(pool: Any) -> Any:
    """Return a connection that is ready to send; raises as the pool does."""
    kept = _kept(pool)
    while kept:
        try:
            connection = kept.pop()
        except IndexError:  # another thread was quicker
            break
        if connection.pid != os.getpid():  # the parent's, from before a fork
            connection.disconnect()
            continue
        try:
            if connection.is_connected and not connection.can_read():
                return connection
        except FAILURES:  # closed by the server
            pass
        pool.release(connection)
    return pool.get_connection()


def give(pool: Any, connection: Any) -> None:
    """Take back a connection from which every reply has come."""
    if _has_room(pool, connection):
        _kept(pool).append(connection)
    else:
        pool.release(connection)


async def take_async(pool: Any) -> Any:
    """Return what `take` does."""
    kept = _kept(pool)
    while kept:
        connection = kept.pop()
        try:
            if connection.is_connected and not await connection.can_read():
                return connection
        except FAILURES:
            pass
        await pool.release(connection)
    return await pool.get_connection()


async def give_async(pool: Any, connection: Any) -> None:
    """Do what `give` does."""
    if _has_room(pool, connection):
        _kept(pool).append(connection)
    else:
        await pool.release(connection)


def _kept(pool: Any) -> list[Any]:
    """Return a pool's connections at hand, the latest last; they go where the pool goes."""
    kept: list[Any] = vars(pool).setdefault("_nightshelf_at_hand", [])
    return kept


def _has_room(pool: Any, connection: Any) -> bool:
    room = min(_MOST, pool.max_connections // _SHARE)
    return len(_kept(pool)) < room and not connection.should_reconnect()
