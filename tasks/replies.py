"""What a server answers, received in bulk; a reply that is not the expected one, by hiredis."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import hiredis
import numpy as np
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import InvalidResponse, RedisError
from redis.exceptions import TimeoutError as TooSlow

from tasks.kernels.reply import FOREIGN, UNFINISHED, find_values, gather
from tasks.texts import Bytes, Offsets, Room, Texts

_CHUNK = 65_536


class Gone(Exception):  # noqa: N818 - a condition of one key
    """A key that was asked for is not there; its text is the key."""


@dataclass(frozen=True)
class Found:
    """Values where they were received: value i is `data[starts[i]:stops[i]]`."""

    data: Bytes
    starts: Offsets
    stops: Offsets


def found_of(connection: Any, keys: Texts, room: Room) -> Found:
    """Receive the reply to an MGET of `keys` into `room`, where it stands until the next.

    Raises `Gone`, or what the server says instead.
    """
    n = len(keys)
    data, filled = room.of(_CHUNK), 0
    so_far, starts, stops = np.array([0, -1]), np.empty(n, np.int64), np.empty(n, np.int64)
    state = UNFINISHED
    while state == UNFINISHED:
        if filled == len(data):
            data = room.of(2 * filled)
        filled += receive_into(connection, data.data[filled:])
        state = find_values(data, filled, so_far, starts, stops)
    if state == FOREIGN:
        return _read_apart(connection, keys, data[:filled].tobytes())
    if so_far[0] < filled:
        connection.disconnect()  # the rest of what began to come is nobody's: begin anew
    return Found(data, starts, stops)


def together(found: Sequence[Found]) -> Texts:
    """Copy values of several replies end to end."""
    ends = np.zeros(sum(len(each.starts) for each in found) + 1, np.int64)
    out = np.empty(sum(int((each.stops - each.starts).sum()) for each in found), np.uint8)
    first = 0
    for each in found:
        gather(each.data, each.starts, each.stops, first, out, ends)
        first += len(each.starts)
    return Texts(ends, out)


def _read_apart(connection: Any, keys: Texts, came: bytes) -> Found:
    (values,) = replies(connection, came, 1)
    if isinstance(values, RedisError):
        raise values
    if not isinstance(values, list) or len(values) != len(keys):
        raise InvalidResponse(f"{type(values).__name__} instead of {len(keys)} values")
    for at, value in enumerate(values):
        if value is None:
            raise Gone(keys[at].decode())
        if not isinstance(value, bytes):
            raise InvalidResponse(f"{type(value).__name__} instead of the value of a key")
    texts = Texts.of(values)
    return Found(texts.data, texts.offsets[:-1], texts.offsets[1:])


def replies(connection: Any, came: bytes, n: int) -> Iterator[Any]:
    """Yield `n` replies, errors among them, the first bytes of which came already."""
    reader = hiredis.Reader(
        protocolError=InvalidResponse,
        replyError=connection._parser.parse_error,
        notEnoughData=Ellipsis,
    )
    reader.feed(came)
    while n > 0:
        reply = reader.gets()
        if reply is Ellipsis:
            reader.feed(received(connection, _CHUNK))
        elif not isinstance(reply, hiredis.PushNotification):  # what a server may say unasked
            n -= 1
            yield reply
    if reader.has_data():
        connection.disconnect()


def received(connection: Any, most: int) -> bytes:
    """Return what the server sent, at most so many bytes; never nothing."""
    room = bytearray(most)
    return bytes(memoryview(room)[: receive_into(connection, memoryview(room))])


def receive_into(connection: Any, room: memoryview) -> int:
    """Receive what the server sent, as redis-py's own reading does; returns how much: never 0."""
    try:
        n: int = connection._sock.recv_into(room)
    except TimeoutError:
        raise TooSlow("no reply to what was asked within timeout_s") from None
    except OSError as error:
        raise Unreachable(f"connection broken while reading replies: {error}") from None
    if n == 0:
        raise Unreachable("connection closed by the server")
    return n
