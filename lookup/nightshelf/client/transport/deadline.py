"""One connection, as far as its replies go: bytes in, replies out, without waiting."""

from typing import Any

from hiredis import PushNotification, Reader
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import InvalidResponse

#: What a reader says that has not all of a reply yet; `None` is a reply.
_MORE = object()


class Line:
    """A connection of redis-py's, and a reader of ours for what comes in on it.

    `pooled` is what the pool knows; `connection` is behind it where the client keeps a cache of its
    own, and else the same. `pushes` are what the server said without being asked, which is for the
    client to hear.
    """

    __slots__ = ("_reader", "connection", "pooled", "pushes")

    def __init__(self, pooled: Any) -> None:
        self.pooled = pooled
        self.connection = getattr(pooled, "_conn", pooled)
        self.pushes: list[Any] = []
        # Without an encoding: whatever the client does with texts, lists come as bytes.
        self._reader = Reader(
            replyError=self.connection._parser.parse_error,
            protocolError=InvalidResponse,
            notEnoughData=_MORE,
        )

    def take(self, data: bytes, replies: list[Any], n: int) -> bool:
        """Add the replies that end with these bytes, and tell whether those are all `n`.

        Raises where they are more, where the server has hung up, and where it serves nobody.
        """
        if not data:
            raise NoConnection("the server closed the connection")
        reader = self._reader
        reader.feed(data)
        while (reply := reader.gets()) is not _MORE:
            if isinstance(reply, NoConnection):  # loading, say, or a login that is none
                raise reply
            (self.pushes if isinstance(reply, PushNotification) else replies).append(reply)
        if len(replies) > n:
            raise InvalidResponse("more replies than commands")
        return len(replies) == n
