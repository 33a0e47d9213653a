"""Routes of commands in a cluster: by slot to its node, and on to another where it has moved.

Generators that yield commands by node, and are sent replies by node: blocking and asyncio clients
drive the same ones. Nothing here opens a socket or waits.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterCrossSlotError,
    ClusterDownError,
    MovedError,
    ResponseError,
)

from nightshelf.client.core.failures import NotAsked
from nightshelf.client.core.protocol import Batch, Command
from nightshelf.client.transport.slots import Node, Nodes

T = TypeVar("T")
Requests = dict[Node, Batch]
#: Replies by node, or the error of a node that gave none.
Answers = Mapping[Node, Sequence[Any] | Exception]
Route = Generator[Requests, Answers, T]

#: A slot in motion sends a command on once, a map of long ago perhaps twice.
_MAX_HOPS = 5
_KEYLESS = frozenset(
    (
        *("ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DBSIZE", "ECHO", "FLUSHALL", "FLUSHDB"),
        *("INFO", "LATENCY", "PING", "SCAN", "SCRIPT", "SLOWLOG", "TIME", "WAIT"),
    )
)
#: Commands of many keys that are sent key by key, with the reply to each: GET never finds a slot
#: half moved, as MGET does.
_BY_KEY = {"MGET": "GET", "EXISTS": "EXISTS", "UNLINK": "UNLINK", "DEL": "DEL"}
_ASKING: tuple[Command, ...] = (("ASKING",),)
_SUBCOMMANDS = frozenset(("XINFO", "XGROUP", "MEMORY", "OBJECT"))


@dataclass(frozen=True)
class Part:
    """Commands that go to one slot's node together; the last one's reply counts.

    `slot` is `None` where any node can answer.
    """

    commands: tuple[Command, ...]
    slot: int | None


def words(command: Command) -> Command:
    """Return a command with a name of two words as two arguments, as servers want it."""
    name = command[0]
    return (*name.split(), *command[1:]) if isinstance(name, str) and " " in name else command


def slot_of(command: Command) -> int | None:
    """Return the slot of a command's key; `None` where it has no key.

    >>> slot_of(("GET", "shelf:{shop}:current")) == slot_of(("EVAL", "", 1, "shelf:{shop}:fence"))
    True
    """
    name = str(command[0]).upper()
    if name in _KEYLESS:
        return None
    if name in ("EVAL", "EVALSHA"):
        n_keys = int(command[2])
        slots = {_slot(key) for key in command[3 : 3 + n_keys]}
        if len(slots) > 1:
            raise ClusterCrossSlotError("Keys in request don't hash to the same slot")
        return slots.pop() if slots else None
    if name in ("XREADGROUP", "XREAD"):
        at = next(i for i, each in enumerate(command) if each in ("STREAMS", b"STREAMS"))
        return _slot(command[at + 1])
    at = 2 if name in _SUBCOMMANDS else 1
    return _slot(command[at]) if len(command) > at else None


def transaction(commands: Batch) -> Part:
    """Return commands of one slot as a transaction."""
    commands = [words(each) for each in commands]
    slots = {slot for each in commands if (slot := slot_of(each)) is not None}
    if len(slots) > 1:
        raise ClusterCrossSlotError("a transaction's keys are all of one slot")
    return Part((("MULTI",), *commands, ("EXEC",)), slots.pop() if slots else None)


def batch_route(nodes: Nodes, batch: Batch) -> Route[list[Any]]:
    """Return a reply for each command, an error in place of one that failed.

    A command without a key goes where the batch's first key goes. A refusal, or a node that does
    not answer, is the reply of its own commands alone.
    """
    parts: list[Part] = []
    n_parts: list[int] = []
    for command in map(words, batch):
        by_key = _BY_KEY.get(str(command[0]).upper())
        if by_key:
            some = [Part(((by_key, key),), _slot(key)) for key in command[1:]]
        else:
            some = [Part((command,), slot_of(command))]
        parts += some
        n_parts.append(len(some))
    home = next((part.slot for part in parts if part.slot is not None), None)
    replies = iter((yield from route(nodes, parts, home)))
    return [_joined(each, list(islice(replies, n))) for each, n in zip(batch, n_parts, strict=True)]


def route(nodes: Nodes, parts: Sequence[Part], home: int | None = None) -> Route[list[Any]]:
    """Return the reply to each part; those without a key go to the node of slot `home`."""
    replies: list[Any] = [None] * len(parts)
    due: dict[int, tuple[Node | None, bool]] = {}
    for at, part in enumerate(parts):
        due[at] = nodes.owner(home if part.slot is None else part.slot), False
    for _ in range(_MAX_HOPS):
        groups = _by_node(nodes, due, replies)
        if not groups:
            break
        sent = {at: (_ASKING if due[at][1] else ()) + parts[at].commands for at in due}
        answers = yield {
            node: [c for at in some for c in sent[at]] for node, some in groups.items()
        }
        due = {}
        for node, some in groups.items():
            lengths = [len(sent[at]) for at in some]
            for at, reply in zip(some, _taken(nodes, node, answers[node], lengths), strict=True):
                replies[at] = reply
                if isinstance(reply, AskError):
                    due[at] = _sent_on(nodes, node, reply)
        if not due:
            break
    return replies


def _by_node(
    nodes: Nodes, due: Mapping[int, tuple[Node | None, bool]], replies: list[Any]
) -> dict[Node, list[int]]:
    """Return the parts that are due by node; the reply of one whose node is not asked is set."""
    groups: dict[Node, list[int]] = {}
    for at, (node, _) in due.items():
        if node is None:
            replies[at] = ClusterDownError("Hash slot not served")
        else:
            groups.setdefault(node, []).append(at)
    for node in [node for node in groups if not nodes.admits(node)]:
        for at in groups.pop(node):
            replies[at] = NotAsked(f"{node[0]}:{node[1]} failed a moment ago")
    return groups


def _taken(
    nodes: Nodes, node: Node, answer: Sequence[Any] | Exception, lengths: Sequence[int]
) -> Iterator[Any]:
    """Yield the reply of each part that a node was sent, of so many commands each."""
    if isinstance(answer, Exception):
        nodes.failed(node, answer)
        yield from [answer] * len(lengths)
        return
    nodes.answered(node)
    left = iter(answer)
    for n in lengths:
        got = list(islice(left, n))
        yield next((each for each in got if isinstance(each, AskError)), got[-1])


def _sent_on(nodes: Nodes, node: Node, reply: AskError) -> tuple[Node, bool]:
    """Return the node that a reply sends on to, and whether it must be told that it is asked."""
    to = reply.host or node[0], reply.port
    if isinstance(reply, MovedError):
        nodes.moved(reply.slot_id, to)
        return to, False
    return to, True


def map_route(nodes: Nodes) -> Route[None]:
    """Ask one node after the other for the map of slots, until one tells.

    Raises the last one's error where none does and nothing is known.
    """
    error: Exception = NotAsked("no node was asked")
    nodes.asking()
    for node in nodes.tellers():
        answer = (yield {node: [("CLUSTER", "SLOTS")]})[node]
        reply = answer if isinstance(answer, Exception) else answer[0]
        if isinstance(reply, Exception):
            error = reply
            nodes.failed(node, error)
            continue
        nodes.answered(node)
        nodes.learn(node, reply)
        return
    if not nodes.is_mapped:
        raise error


def _slot(key: Any) -> int:
    return key_slot(key if isinstance(key, bytes) else str(key).encode())


def _joined(command: Command, replies: list[Any]) -> Any:
    name = str(command[0]).upper()
    if name == "MGET":  # which has nothing in place of another type
        return [None if _is_wrong_type(each) else each for each in replies]
    if name in _BY_KEY:
        errors = (each for each in replies if isinstance(each, Exception))
        return next(errors, None) or sum(replies)
    return replies[0]


def _is_wrong_type(reply: Any) -> bool:
    return isinstance(reply, ResponseError) and str(reply).startswith("WRONGTYPE")
