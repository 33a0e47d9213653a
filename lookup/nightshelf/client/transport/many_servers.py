"""One round trip of several batches, each to a server of its own, all on their way at once."""

import time
from collections.abc import Sequence
from selectors import EVENT_READ, DefaultSelector
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer

from nightshelf.client.core.failures import FAILURES, NotAsked
from nightshelf.client.core.protocol import Batch
from nightshelf.client.transport.exchange import CHUNK_BYTES, ask, pack
from nightshelf.client.transport.kept_connections import acquire, discard, has_kept, release

#: Replies of one server, or the error of one that gave none.
Answer = Sequence[Any] | Exception
_TIME_UP = "the call's time is up"


def ask_one(client: Redis, batch: Batch, until: float) -> Answer:
    """Return what `ask` returns for one server, or the error that it raises."""
    if time.monotonic() >= until:
        return NotAsked(_TIME_UP)
    try:
        return ask(client, batch, until)
    except FAILURES as error:
        return error


def ask_all(asked: Sequence[tuple[Redis, Batch]], until: float) -> list[Answer]:
    """Return the answer of each server.

    Those with a connection at hand come first, so that a slow connection delays no others; replies
    that are there when time is up count.
    """
    answers: list[Answer] = [NotAsked(_TIME_UP)] * len(asked)
    order = sorted(range(len(asked)), key=lambda at: not has_kept(asked[at][0].connection_pool))
    with DefaultSelector() as selector:
        for at in order:
            if time.monotonic() < until:
                try:
                    under_way = _UnderWay(*asked[at], until)
                except FAILURES as error:
                    answers[at] = error
                else:
                    selector.register(under_way.socket, EVENT_READ, (at, under_way))
        try:
            while selector.get_map():
                ready = selector.select(max(0.0, until - time.monotonic()))
                if not ready:
                    break
                for key, _ in ready:
                    at, under_way = key.data
                    answer = under_way.receive(until)
                    if answer is not None:
                        answers[at] = answer
                        selector.unregister(key.fileobj)
        finally:
            for key in list(selector.get_map().values()):
                at, under_way = key.data
                under_way.drop()
                answers[at] = NoAnswer(_TIME_UP)
    return answers


class _UnderWay:
    """A batch that was sent to one server, and the replies that have come."""

    def __init__(self, client: Redis, batch: Batch, until: float) -> None:
        self._pool: Any = client.connection_pool
        self._n, self._replies = len(batch), list[Any]()
        self._kept = acquire(self._pool)
        try:
            self.socket = self._kept.connection._sock
            if self.socket is None:
                raise NoConnection("the client was closed meanwhile")
            self.socket.settimeout(max(0.001, until - time.monotonic()))
            self.socket.sendall(b"".join(map(pack, batch)))
        except BaseException:
            self.drop()
            raise

    def receive(self, until: float) -> Answer | None:
        """Take what has come; return all replies or an error once that is the end of it."""
        try:
            self.socket.settimeout(max(0.001, until - time.monotonic()))
            if not self._kept.feed(self.socket.recv(CHUNK_BYTES), self._replies, self._n):
                return None
            while self._kept.pushes:
                self._kept.connection._parser.handle_push_response(self._kept.pushes.pop(0))
            self.socket.settimeout(self._kept.connection.socket_timeout)  # the client's own
        except FAILURES as error:
            self.drop()
            return error
        release(self._pool, self._kept)
        return self._replies

    def drop(self) -> None:
        """Close the connection: late replies must not reach the next call."""
        discard(self._pool, self._kept)
