"""Connections to Redis that carry many commands at once, each with redis-py's retries.

The connections are the client's own, so TLS, sockets, logins and timeouts are as its URL says. A
command that a broken connection may have lost is sent again: what goes this way must bear that.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Generic, TypeVar

import numpy as np
from redis import Redis
from redis.exceptions import InvalidResponse, RedisError

from tasks.io.byte_strings import Buffer, ByteStrings
from tasks.publish.commands import mget_command, set_commands, ttls_of
from tasks.publish.keyspace import Entries
from tasks.publish.replies import Inbox

P = TypeVar("P")
R = TypeVar("R")
#: Keys that one MGET asks for.
MGET_KEYS = 250
#: Exchanges that are on their way over a connection: Redis has the next when it is done with one.
WINDOW = 2


@dataclass(frozen=True)
class Exchange(Generic[R]):
    """Commands, and what takes the replies to them out of an inbox."""

    commands: bytes | memoryview
    answered: Callable[[Inbox], R]


class Line:
    """A connection and the exchanges on their way over it, at most `WINDOW`, in order."""

    def __init__(self, connection: Any) -> None:
        self.connection = self._connection = connection
        self._inbox = Inbox(connection)
        self._waiting: deque[Exchange[Any]] = deque()
        self._n_sent = 0
        self._rooms = deque(Buffer() for _ in range(WINDOW))

    def room(self) -> Buffer:
        """Return memory for the next exchange's commands."""
        self._rooms.rotate()
        return self._rooms[0]

    def send(self, exchange: Exchange[Any]) -> None:
        """Send commands behind those that are on their way."""
        self._waiting.append(exchange)
        self._patiently(self._send)

    def take(self) -> Any:
        """Await the replies to the first exchange, and return what it makes of them."""
        taken = self._patiently(self._take)
        self._waiting.popleft()
        self._n_sent -= 1
        return taken

    def leave(self) -> None:
        """Close the connection where anything is still to come over it."""
        if self._waiting or self._inbox:
            self._connection.disconnect()

    def _patiently(self, act: Callable[[], R]) -> R:
        """Do it, and all that is on its way again where the connection breaks."""
        result: R = self._connection.retry.call_with_retry(
            act, lambda error: self._connection.disconnect()
        )
        return result

    def _send(self) -> None:
        if not self._connection.is_connected:
            self._n_sent = 0
            self._inbox.clear()
        for exchange in list(self._waiting)[self._n_sent :]:
            # A health check would take the replies on their way for its own.
            self._connection.send_packed_command([exchange.commands], check_health=False)
            self._n_sent += 1

    def _take(self) -> Any:
        self._send()
        return self._waiting[0].answered(self._inbox)


@contextmanager
def wire(client: Redis, n: int) -> Iterator[list[Line]]:
    """Lend `n` connections of a client's pool; they go back to it whatever happens."""
    pool = client.connection_pool
    with ExitStack() as stack:
        lines = []
        for _ in range(n):
            connection = pool.get_connection()
            stack.callback(pool.release, connection)
            lines.append(Line(connection))
            stack.callback(lines[-1].leave)
        yield lines


def carried(
    lines: Sequence[Line], pieces: Iterable[P], exchange: Callable[[P, Buffer], Exchange[R]]
) -> Generator[tuple[P, R], None, None]:
    """Yield pieces, in order, with what came of them; a few later ones are on their way already.

    `exchange` makes the commands of a piece, in the room that it is given or elsewhere.
    """
    waiting: deque[tuple[Line, P]] = deque()

    def first() -> tuple[P, R]:
        line, piece = waiting.popleft()
        return piece, line.take()

    for piece, line in zip(pieces, cycle(lines), strict=False):
        line.send(exchange(piece, line.room()))
        waiting.append((line, piece))
        if len(waiting) == WINDOW * len(lines):
            yield first()
    while waiting:
        yield first()


def setting(parts: Sequence[Entries], ttl_s: int, room: Buffer) -> Exchange[None]:
    """SET entries, all of them in one go.

    Raises what the first reply that is not OK says, under the family of its key.
    """
    commands = np.empty(0, np.uint8)
    for part in parts:
        ttls_s = ttls_of(part.family, part.keys, ttl_s)
        commands = set_commands(part.keys, part.values, ttls_s, room, len(commands))

    def answered(inbox: Inbox) -> None:
        for part in parts:
            for reply in inbox.replies(len(part)):
                if reply != b"OK":
                    raise refusal(part.family, reply) from None

    return Exchange(commands.data, answered)


def getting(keys: ByteStrings) -> Exchange[ByteStrings]:
    """Ask for the values of keys with one MGET, during which no reader is answered.

    Raises `Gone` for a key that is not there.
    """
    return Exchange(mget_command(keys), lambda inbox: inbox.values(keys))


def refusal(family: str, reply: Any) -> RedisError:
    """Return what a reply that is not OK says, under the family of its key."""
    error = reply if isinstance(reply, RedisError) else InvalidResponse(f"{reply!r} instead of OK")
    return type(error)(f"SET of a key of the family {family!r} was refused: {error}")
