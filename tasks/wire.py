"""Several connections to Redis that carry many commands at once, each with redis-py's retries.

The connections are the client's own, so TLS, sockets, logins and timeouts are as its URL says. A
command that a broken connection may have lost is sent again: what goes this way must bear that.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np
from redis import Redis
from redis.exceptions import InvalidResponse, RedisError

from tasks.encode import Entries
from tasks.replies import Found, found_of, received, replies, together
from tasks.resp import OK, mget_command, set_commands, ttls_of
from tasks.texts import Bytes, Room, Texts

T = TypeVar("T")
#: Keys that are asked for with one MGET, during which no reader is answered.
_MGET_KEYS = 500


class Line:
    """A connection and the memory for what goes over it, used again each time."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.commands = Room()
        self._replies: list[Room] = []

    def patiently(self, act: Callable[[Any], T]) -> T:
        """Do it with the connection, again where that breaks, as its own retries say."""
        connection = self.connection
        result: T = connection.retry.call_with_retry(
            lambda: act(connection), lambda error: connection.disconnect()
        )
        return result

    def replies(self, n: int) -> list[Room]:
        """Return memory for `n` replies."""
        self._replies += [Room() for _ in range(n - len(self._replies))]
        return self._replies[:n]


class Wire:
    """`n` connections, each of them lent to one thread at a time."""

    def __init__(self, connections: Sequence[Any]) -> None:
        self.n = len(connections)
        self._lines: SimpleQueue[Line] = SimpleQueue()
        for connection in connections:
            self._lines.put(Line(connection))

    def write(self, parts: Sequence[Entries], ttl_s: int) -> None:
        """SET entries over one connection, all on their way at once, and await every reply.

        Raises what the first reply that is not OK says, under the family of its key.
        """
        with self._lent() as line:
            commands = np.empty(0, np.uint8)
            for part in parts:
                ttls_s = ttls_of(part.family, part.keys, ttl_s)
                commands = set_commands(
                    part.keys, part.values, ttls_s, line.commands, len(commands)
                )
            line.patiently(lambda to: _write(to, commands, parts))

    def values_of(self, keys: Texts) -> Texts:
        """Return the values of keys, asked for over one connection.

        Raises `Gone` for a key that is not there.
        """
        parts = [keys.slice(at, at + _MGET_KEYS) for at in range(0, len(keys), _MGET_KEYS)]
        with self._lent() as line:
            rooms = line.replies(len(parts))
            return together([_asked(line, *each) for each in zip(parts, rooms, strict=True)])

    @contextmanager
    def _lent(self) -> Iterator[Line]:
        line = self._lines.get()
        try:
            yield line
        finally:
            self._lines.put(line)


@contextmanager
def wire(client: Redis, n: int) -> Iterator[Wire]:
    """Lend `n` connections of a client's pool; they go back to it whatever happens."""
    pool = client.connection_pool
    with ExitStack() as stack:
        connections = []
        for _ in range(n):
            connections.append(pool.get_connection())
            stack.callback(pool.release, connections[-1])
        yield Wire(connections)


def _asked(line: Line, keys: Texts, room: Room) -> Found:
    def ask(connection: Any) -> Found:
        connection.send_packed_command([mget_command(keys)])
        return found_of(connection, keys, room)

    return line.patiently(ask)


def _write(connection: Any, commands: Bytes, parts: Sequence[Entries]) -> None:
    connection.send_packed_command([commands.data])
    expected = OK * sum(map(len, parts))
    came = received(connection, len(expected))
    while len(came) < len(expected) and expected.startswith(came):
        came += received(connection, len(expected) - len(came))
    if came != expected:
        _raise_first_error(connection, came, parts)


def _raise_first_error(connection: Any, came: bytes, parts: Sequence[Entries]) -> None:
    """Read the replies one by one, all of them, so that the connection can go on after it."""
    first: tuple[RedisError, str] | None = None
    families = [part.family for part in parts for _ in range(len(part))]
    for reply, family in zip(replies(connection, came, len(families)), families, strict=True):
        if reply != b"OK" and first is None:
            known = isinstance(reply, RedisError)
            first = reply if known else InvalidResponse(f"{reply!r} instead of OK"), family
    if first is not None:
        error, family = first
        said = f"SET of a key of the family {family!r} was refused: {error}"
        raise type(error)(said) from None
