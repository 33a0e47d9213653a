"""Several connections to Redis that carry commands already in bytes, each with redis-py's retries.

The connections are the client's own, so TLS, sockets, logins and timeouts are as its URL says. A
command that a broken connection may have lost is sent again: what goes this way must bear that.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any, TypeVar

from redis import Redis
from redis.exceptions import InvalidResponse, RedisError

from tasks.replies import Found, found_of, received, replies, together
from tasks.resp import OK, mget_command
from tasks.texts import Bytes, Room, Texts

S = TypeVar("S")
T = TypeVar("T")
#: How many of which family one connection writes, in order.
Runs = list[tuple[str, int]]


class Wire:
    """`n` connections, each with a thread of its own."""

    def __init__(self, connections: Sequence[Any], threads: Executor) -> None:
        self.n = len(connections)
        self._connections = connections
        self._threads = threads
        self._rooms = [Room() for _ in connections]

    def write(self, shares: Sequence[tuple[list[Bytes], Runs]]) -> None:
        """Send each share of SET commands over a connection of its own, and await every reply.

        Raises what the first reply that is not OK says, under the family of its key.
        """
        self._each(_write, shares)

    def values_of(self, keys: Texts) -> Texts:
        """Return the values of keys, an equal share of them asked for over each connection.

        Raises `Gone` for a key that is not there.
        """
        edges = sorted({len(keys) * share // self.n for share in range(self.n + 1)})
        shares = [keys.slice(*edge) for edge in pairwise(edges)]
        return together(self._each(_ask, list(zip(shares, self._rooms, strict=False))))

    def _each(self, act: Callable[[Any, S], T], requests: Sequence[S]) -> list[T]:
        """Do it over a connection for each; raise only once none is on its way any longer."""
        futures = [
            self._threads.submit(_patiently, act, connection, request)
            for connection, request in zip(self._connections, requests, strict=False)
        ]
        wait(futures)
        return [future.result() for future in futures]


@contextmanager
def wire(client: Redis, n: int) -> Iterator[Wire]:
    """Lend `n` connections of a client's pool; they go back to it whatever happens."""
    pool = client.connection_pool
    with ExitStack() as stack:
        connections = []
        for _ in range(n):
            connections.append(pool.get_connection())
            stack.callback(pool.release, connections[-1])
        yield Wire(connections, stack.enter_context(ThreadPoolExecutor(n, "wire")))


def _patiently(act: Callable[[Any, S], T], connection: Any, request: S) -> T:
    result: T = connection.retry.call_with_retry(
        lambda: act(connection, request), lambda error: connection.disconnect()
    )
    return result


def _ask(connection: Any, share: tuple[Texts, Room]) -> Found:
    keys, room = share
    connection.send_packed_command([mget_command(keys)])
    return found_of(connection, keys, room)


def _write(connection: Any, share: tuple[list[Bytes], Runs]) -> None:
    requests, runs = share
    connection.send_packed_command([request.data for request in requests])
    expected = OK * sum(n for _, n in runs)
    came = bytearray()
    while len(came) < len(expected):
        came += received(connection, len(expected) - len(came))
        if not expected.startswith(came):
            _raise_first_error(connection, bytes(came), runs)
            return


def _raise_first_error(connection: Any, came: bytes, runs: Runs) -> None:
    """Read the replies one by one, all of them, so that the connection can go on after it."""
    families = [family for family, n in runs for _ in range(n)]
    first: tuple[str, RedisError] | None = None
    for family, reply in zip(families, replies(connection, came, len(families)), strict=True):
        if reply != b"OK" and first is None:
            known = isinstance(reply, RedisError)
            first = family, reply if known else InvalidResponse(f"{reply!r} instead of OK")
    if first is not None:
        family, error = first
        raise type(error)(f"SET of a key of the family {family!r} was refused: {error}") from None
