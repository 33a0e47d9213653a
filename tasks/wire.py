"""Several connections to Redis that carry commands already in bytes, each with redis-py's retries.

The connections are the client's own, so TLS, sockets, logins and timeouts are as its URL says. A
command that a broken connection may have lost is sent again: what goes this way must bear that.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import hiredis
from redis import Redis
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import InvalidResponse, RedisError
from redis.exceptions import TimeoutError as TooSlow

from tasks.resp import OK
from tasks.texts import Bytes

S = TypeVar("S")
T = TypeVar("T")
#: How many of which family one connection writes, in order.
Runs = list[tuple[str, int]]
_CHUNK = 65_536


class Wire:
    """`n` connections, each with a thread of its own."""

    def __init__(self, connections: Sequence[Any], threads: Executor) -> None:
        self.n = len(connections)
        self._connections = connections
        self._threads = threads

    def write(self, shares: Sequence[tuple[list[Bytes], Runs]]) -> None:
        """Send each share of SET commands over a connection of its own, and await every reply.

        Raises what the first reply that is not OK says, under the family of its key.
        """
        self._each(_write, shares)

    def ask(self, commands: Sequence[bytes]) -> list[Any]:
        """Send one command over each connection; return the replies, bytes as they are."""
        return self._each(_ask, commands)

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


def _ask(connection: Any, command: bytes) -> Any:
    connection.send_packed_command([command])
    return connection.read_response(disable_decoding=True)


def _write(connection: Any, share: tuple[list[Bytes], Runs]) -> None:
    requests, runs = share
    connection.send_packed_command([request.data for request in requests])
    expected = OK * sum(n for _, n in runs)
    came = bytearray()
    while len(came) < len(expected):
        came += _received(connection, len(expected) - len(came))
        if not expected.startswith(came):
            _raise_first_error(connection, came, runs)
            return


def _raise_first_error(connection: Any, came: bytearray, runs: Runs) -> None:
    """Read the replies one by one, all of them, so that the connection can go on after it."""
    reader = hiredis.Reader(replyError=connection._parser.parse_error, notEnoughData=Ellipsis)
    reader.feed(bytes(came))
    first: tuple[str, RedisError] | None = None
    for family, n in runs:
        for _ in range(n):
            reply = _reply(connection, reader)
            if reply != b"OK" and first is None:
                known = isinstance(reply, RedisError)
                error = reply if known else InvalidResponse(f"{reply!r} instead of OK")
                first = family, error
    if first is not None:
        family, error = first
        raise type(error)(f"SET of a key of the family {family!r} was refused: {error}") from None


def _reply(connection: Any, reader: hiredis.Reader) -> Any:
    while True:
        reply = reader.gets()
        if reply is Ellipsis:
            reader.feed(_received(connection, _CHUNK))
        elif not isinstance(reply, hiredis.PushNotification):  # what a server may say unasked
            return reply


def _received(connection: Any, most: int) -> bytes:
    """Return what the server sent, as redis-py's own reading does: never nothing."""
    try:
        data: bytes = connection._sock.recv(most)
    except TimeoutError:
        raise TooSlow("no reply to what was written within timeout_s") from None
    except OSError as error:
        raise Unreachable(f"connection broken while reading replies: {error}") from None
    if not data:
        raise Unreachable("connection closed by the server")
    return data
