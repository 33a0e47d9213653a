"""Replies to commands that were sent in bulk, read by hiredis."""

from collections.abc import Iterator
from typing import Any

import hiredis
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import InvalidResponse, RedisError
from redis.exceptions import TimeoutError as TooSlow

from tasks.io.byte_strings import ByteStrings

_CHUNK_BYTES = 65_536


class Gone(Exception):  # noqa: N818 - a condition of one key
    """A key that was asked for is not there; its text is the key."""


class Inbox:
    """Bytes received over a connection and not taken yet; they can hold several replies at once."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._chunk = bytearray(_CHUNK_BYTES)
        self.clear()

    def __bool__(self) -> bool:
        return bool(self._reader.has_data())

    def clear(self) -> None:
        """Forget all that was received."""
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=self._connection._parser.parse_error,
            notEnoughData=Ellipsis,
        )

    def replies(self, n: int) -> Iterator[Any]:
        """Take `n` replies one by one, errors among them; a push message is none."""
        for _ in range(n):
            reply = self._reader.gets()
            while reply is Ellipsis or isinstance(reply, hiredis.PushNotification):
                if reply is Ellipsis:
                    self._receive()
                reply = self._reader.gets()
            yield reply

    def values(self, keys: ByteStrings) -> ByteStrings:
        """Take the reply to an MGET of `keys`.

        Raises `Gone` for the first key that is not there, or the error that the server returned.
        """
        (values,) = self.replies(1)
        if isinstance(values, RedisError):
            raise values
        if not isinstance(values, list) or len(values) != len(keys):
            raise InvalidResponse(f"{type(values).__name__} instead of {len(keys)} values")
        if not {*map(type, values)} <= {bytes}:
            at, value = next((at, v) for at, v in enumerate(values) if not isinstance(v, bytes))
            if value is None:
                raise Gone(keys[at].decode())
            raise InvalidResponse(f"{type(value).__name__} instead of the value of a key")
        return ByteStrings.of(values)

    def _receive(self) -> None:
        """Receive at least one byte, as redis-py's own reading does."""
        try:
            n: int = self._connection._sock.recv_into(self._chunk)
        except TimeoutError:
            raise TooSlow("no reply to what was asked within timeout_s") from None
        except OSError as error:
            raise Unreachable(f"connection broken while reading replies: {error}") from None
        if n == 0:
            raise Unreachable("connection closed by the server")
        self._reader.feed(self._chunk, 0, n)  # type: ignore[arg-type]
