"""What a server says, received in bulk; a reply that is not the expected one, by hiredis."""

from collections.abc import Iterator
from typing import Any

import hiredis
import numpy as np
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import InvalidResponse, RedisError
from redis.exceptions import TimeoutError as TooSlow

from tasks.io.byte_strings import Buffer, ByteStrings, Offsets
from tasks.publish._jit.reply import FOREIGN, UNFINISHED, find_values, gather

_CHUNK = 65_536


class Gone(Exception):  # noqa: N818 - a condition of one key
    """A key that was asked for is not there; its text is the key."""


class Inbox:
    """What came over a connection and was not taken yet; it can hold several replies at once."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._room = Buffer()
        self._filled = 0

    def __bool__(self) -> bool:
        return self._filled > 0

    def clear(self) -> None:
        """Forget what came."""
        self._filled = 0

    def begins(self, expected: bytes) -> bool:
        """Take `expected` once all of it came, and tell whether it did; else take nothing."""
        while (said := self._said(len(expected))) != expected:
            if not expected.startswith(said):
                return False
            self._receive()
        self._drop(len(expected))
        return True

    def values(self, keys: ByteStrings) -> ByteStrings:
        """Take the reply to an MGET of `keys`.

        Raises `Gone`, or what the server says instead.
        """
        so_far = np.array([0, -1])
        starts, stops = (np.empty(len(keys), np.int64) for _ in range(2))
        while (state := self._found(so_far, starts, stops)) == UNFINISHED:
            self._receive()
        if state == FOREIGN:
            return self._read_apart(keys)
        values = gathered(self._room, starts, stops)
        self._drop(int(so_far[0]))
        return values

    def replies(self, n: int) -> Iterator[Any]:
        """Take `n` replies one by one, errors among them.

        More than they are is not kept: the connection is left then, and what was asked must be
        asked again.
        """
        reader = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=self._connection._parser.parse_error,
            notEnoughData=Ellipsis,
        )
        while n > 0:
            reply = reader.gets()
            if reply is Ellipsis:
                if not self._filled:
                    self._receive()
                reader.feed(self._said(self._filled))
                self.clear()
            elif not isinstance(reply, hiredis.PushNotification):  # what a server may say unasked
                n -= 1
                yield reply
        if reader.has_data():
            self._connection.disconnect()

    def _read_apart(self, keys: ByteStrings) -> ByteStrings:
        (values,) = self.replies(1)
        if isinstance(values, RedisError):
            raise values
        if not isinstance(values, list) or len(values) != len(keys):
            raise InvalidResponse(f"{type(values).__name__} instead of {len(keys)} values")
        for at, value in enumerate(values):
            if value is None:
                raise Gone(keys[at].decode())
            if not isinstance(value, bytes):
                raise InvalidResponse(f"{type(value).__name__} instead of the value of a key")
        return ByteStrings.of(values)

    def _found(self, so_far: Offsets, starts: Offsets, stops: Offsets) -> int:
        state: int = find_values(self._room.of(_CHUNK), self._filled, so_far, starts, stops)
        return state

    def _said(self, most: int) -> bytes:
        return self._room.of(_CHUNK)[: min(most, self._filled)].tobytes()

    def _drop(self, n: int) -> None:
        data = self._room.of(_CHUNK)
        data[: self._filled - n] = data[n : self._filled]
        self._filled -= n

    def _receive(self) -> None:
        """Receive what the server sent, as redis-py's own reading does; never nothing."""
        data = self._room.of(_CHUNK)
        if self._filled == len(data):
            data = self._room.of(2 * len(data))
        try:
            n: int = self._connection._sock.recv_into(data.data[self._filled :])
        except TimeoutError:
            raise TooSlow("no reply to what was asked within timeout_s") from None
        except OSError as error:
            raise Unreachable(f"connection broken while reading replies: {error}") from None
        if n == 0:
            raise Unreachable("connection closed by the server")
        self._filled += n


def gathered(room: Buffer, starts: Offsets, stops: Offsets) -> ByteStrings:
    """Copy values end to end; value i is bytes `starts[i]` to `stops[i]` of `room`."""
    ends = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(stops - starts, out=ends[1:])
    out = np.empty(ends[-1], np.uint8)
    gather(room.of(0), starts, stops, ends, out)
    return ByteStrings(ends, out)
