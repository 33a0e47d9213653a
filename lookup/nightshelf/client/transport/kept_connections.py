"""Connections kept at hand between one read and the next, in two colours.

They are the client's pool's own, made and logged in by it. Its way of giving one out and taking it
back costs a third of a round trip (asyncio: a half), so a few are not handed back in between. One
that is not as it was left goes back to the pool, which mends it.
"""

import os
from typing import Any

from nightshelf.client.transport.connection import FAILURES
from nightshelf.client.transport.deadline import Line

#: Kept at most, and at most one in so many of a pool's: the rest is for whatever else asks.
_MOST, _ONE_IN = 8, 4


def take(pool: Any) -> Line:
    """Return a line that is ready to send on; raises as the pool does."""
    kept = _kept(pool)
    while kept:
        try:
            line = kept.pop()
        except IndexError:  # another thread was quicker
            break
        connection = line.connection
        if connection.pid != os.getpid():  # the parent's, from before a fork
            connection.disconnect()
            continue
        try:
            if connection.is_connected and not connection.can_read():
                return line
        except FAILURES:  # closed by the server
            pass
        pool.release(line.pooled)
    return Line(pool.get_connection())


def give(pool: Any, line: Line) -> None:
    """Take back a line that every reply has come from."""
    kept = _kept(pool)
    if _has_room(pool, kept, line):
        kept.append(line)
    else:
        pool.release(line.pooled)


async def take_async(pool: Any) -> Line:
    """Return what `take` does."""
    kept = _kept(pool)
    while kept:
        line = kept.pop()
        try:
            if line.connection.is_connected and not await line.connection.can_read():
                return line
        except FAILURES:
            pass
        await pool.release(line.pooled)
    return Line(await pool.get_connection())


async def give_async(pool: Any, line: Line) -> None:
    """Do what `give` does."""
    kept = _kept(pool)
    if _has_room(pool, kept, line):
        kept.append(line)
    else:
        await pool.release(line.pooled)


def _kept(pool: Any) -> list[Line]:
    """Return a pool's lines at hand, the latest last; they go where the pool goes."""
    kept: list[Line] = vars(pool).setdefault("_nightshelf_at_hand", [])
    return kept


def _has_room(pool: Any, kept: list[Line], line: Line) -> bool:
    room = min(_MOST, pool.max_connections // _ONE_IN)
    return len(kept) < room and not line.connection.should_reconnect()
