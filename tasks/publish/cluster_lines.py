"""One connection to each master of a cluster, for commands in bulk: each key to its slot's master.

What a master sends elsewhere (its slot has moved, or is moving), or a master that is lost has not
acknowledged, is asked again by the cluster's own client, key by key. What goes this way must bear
to be sent twice.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from redis.crc import key_slot
from redis.exceptions import AskError, RedisError

from nightshelf.client.core.failures import FAILURES
from nightshelf.client.core.protocol import Command
from nightshelf.client.transport.cluster import ClusterClient, may_pass
from nightshelf.client.transport.slots import N_SLOTS, Node
from tasks.io.byte_strings import Buffer, Bytes, ByteStrings, Offsets
from tasks.publish.commands import set_commands, ttls_of
from tasks.publish.connection import WINDOW, Exchange, Line, refusal
from tasks.publish.keyspace import Entries
from tasks.publish.replies import Gone

P = TypeVar("P")


@dataclass(frozen=True)
class Work(Generic[P]):
    """A piece of work: its keys, and the commands for some of them, in bulk or one by one."""

    piece: P
    keys: ByteStrings
    in_bulk: Callable[[Offsets, Buffer], bytes | memoryview | Bytes]
    one: Callable[[int], Command]


@dataclass(frozen=True)
class _Sent(Generic[P]):
    work: Work[P]
    parts: list[tuple[Line | None, Offsets]]


class ClusterLines:
    """Connections to the masters of a cluster, up to `WINDOW` exchanges on their way over each."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client
        self._lines: dict[Node, Line] = {}
        self._lost: set[Line] = set()
        self._unreached: set[Node] = set()
        self._follow()

    def set(self, parts: Iterable[Entries], ttl_s: int) -> Generator[Entries, None, None]:
        """SET entries, and yield each part, in order, once all masters have acknowledged it.

        Raises what the first reply that is not OK says, under the family of its key.
        """

        def work(part: Entries) -> Work[Entries]:
            ttls_s = ttls_of(part.family, part.keys, ttl_s)
            return Work(
                part,
                part.keys,
                lambda which, room: set_commands(
                    part.keys.take(which), part.values.take(which), ttls_s[which], room
                ),
                lambda at: ("SET", part.keys[at], part.values[at], "EX", int(ttls_s[at])),
            )

        for part, replies in self._carried(map(work, parts)):
            if (bad := next((each for each in replies if each != b"OK"), None)) is not None:
                raise refusal(part.family, bad) from None
            yield part

    def get(self, asked: Iterable[ByteStrings]) -> Iterator[tuple[ByteStrings, ByteStrings]]:
        """GET keys of their masters, and yield them, in order, with their values.

        Raises `Gone` for a key that is not there.
        """

        def work(keys: ByteStrings) -> Work[ByteStrings]:
            return Work(
                keys,
                keys,
                lambda which, _: b"".join(map(_get_command, keys.take(which))),
                lambda at: ("GET", keys[at]),
            )

        for keys, values in self._carried(map(work, asked)):
            for at, value in enumerate(values):
                if value is None:
                    raise Gone(keys[at].decode())
                if not isinstance(value, bytes):
                    raise value if isinstance(value, RedisError) else TypeError(type(value))
            yield keys, ByteStrings.of(values)

    def leave(self) -> None:
        """Give the connections back."""
        for node in list(self._lines):
            self._drop(node)

    def _carried(self, pieces: Iterable[Work[P]]) -> Generator[tuple[P, list[Any]], None, None]:
        """Yield pieces, in order, with a reply a key; a later one is on its way already."""
        waiting: deque[_Sent[P]] = deque()
        for work in pieces:
            waiting.append(self._sent(work))
            if len(waiting) == WINDOW:
                yield self._finished(waiting.popleft())
        while waiting:
            yield self._finished(waiting.popleft())

    def _sent(self, work: Work[P]) -> _Sent[P]:
        owners = self._owners[np.fromiter(map(key_slot, work.keys), np.uint16, len(work.keys))]
        parts: list[tuple[Line | None, Offsets]] = []
        for number in np.unique(owners):
            which = np.flatnonzero(owners == number)
            line = self._send(self._masters[number], work, which) if number >= 0 else None
            parts.append((line, which))
        return _Sent(work, parts)

    def _send(self, node: Node, work: Work[P], which: Offsets) -> Line | None:
        """Send commands to a master; return the connection, `None` where it cannot be reached."""
        if node in self._unreached:
            return None
        try:
            line = self._line(node)
            commands: Any = work.in_bulk(which, line.room())
            line.send(Exchange(commands, lambda inbox: list(inbox.replies(len(which)))))
        except FAILURES:
            self._lose(node)
            return None
        return line

    def _finished(self, sent: _Sent[P]) -> tuple[P, list[Any]]:
        replies: list[Any] = [None] * len(sent.work.keys)
        again: list[int] = []
        for line, which in sent.parts:
            got = self._taken(line)
            if got is None:
                again += which.tolist()
                continue
            for at, reply in zip(which.tolist(), got, strict=True):
                replies[at] = reply
                if isinstance(reply, AskError) or may_pass(reply):
                    again.append(at)
        if again:
            later = self._client.run([sent.work.one(at) for at in again])
            for at, reply in zip(again, later, strict=True):
                replies[at] = reply
            if error := next((each for each in later if may_pass(each)), None):
                raise error
            self._follow()
        return sent.work.piece, replies

    def _taken(self, line: Line | None) -> Sequence[Any] | None:
        """Return a master's replies to its first exchange; `None` where it is lost."""
        if line is None or line in self._lost:
            return None
        try:
            found: list[Any] = line.take()
        except FAILURES:
            self._lose(next(node for node, each in self._lines.items() if each is line))
            return None
        return found

    def _lose(self, node: Node) -> None:
        """Give up a connection with all that is on its way over it."""
        self._unreached.add(node)
        if node in self._lines:
            self._lost.add(self._lines[node])
            self._drop(node)

    def _line(self, node: Node) -> Line:
        if node not in self._lines:
            pool: Any = self._client.client_of(node).connection_pool
            self._lines[node] = Line(pool.get_connection())
        return self._lines[node]

    def _follow(self) -> None:
        """Take the map of slots as the client has it now; a master that was lost is tried anew."""
        self._unreached.clear()
        self._masters: list[Node] = self._client.masters()
        numbers = {node: at for at, node in enumerate(self._masters)}
        owners = (self._client.nodes.owner(slot) for slot in range(N_SLOTS))
        self._owners: npt.NDArray[np.int16] = np.fromiter(
            (-1 if node is None else numbers.get(node, -1) for node in owners), np.int16, N_SLOTS
        )

    def _drop(self, node: Node) -> None:
        line = self._lines.pop(node)
        with suppress(*FAILURES):
            line.leave()
        pool: Any = self._client.client_of(node).connection_pool
        pool.release(line.connection)


def _get_command(key: bytes) -> bytes:
    return b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key)


@contextmanager
def cluster_lines(client: ClusterClient) -> Iterator[ClusterLines]:
    """Open connections to all masters; they go back to their pools whatever happens."""
    lines = ClusterLines(client)
    try:
        yield lines
    finally:
        lines.leave()
