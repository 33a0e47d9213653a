"""Routes without sockets: the slot of each command, redirections, and nodes that fail."""

from typing import Any

import pytest
from redis import ResponseError
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterCrossSlotError, MovedError
from redis.exceptions import TimeoutError as NoAnswer

from nightshelf.client.core.failures import NotAsked
from nightshelf.client.settings import ReadSettings
from nightshelf.client.transport.route import (
    Requests,
    batch_route,
    map_route,
    slot_of,
    transaction,
    words,
)
from nightshelf.client.transport.slots import N_SLOTS, Nodes
from nightshelf.contract.keys import Keys
from nightshelf.doctor.permissions import needed
from tests.cluster.nodes import Cluster
from tests.lookup.shelves import Clock

A, B, C = (("10.0.0.1", port) for port in (1, 2, 3))
KEYS = Keys("shop")
COMMANDS = [
    *(tuple(each.split()) for role in needed(KEYS).values() for each in role),
    ("EVAL", "return 1", 2, KEYS.current, KEYS.fence, "argument"),
    ("XREADGROUP", "GROUP", "g", "c", "COUNT", 10, "STREAMS", KEYS.events, ">"),
    ("XINFO STREAM", KEYS.events, "FULL", "COUNT", 1),
    ("XGROUP CREATE", KEYS.events, "g", "0-0", "MKSTREAM"),
    ("XAUTOCLAIM", KEYS.events, "g", "c", 1, "0-0"),
    ("MEMORY USAGE", KEYS.popular(1, "all")),
    ("ZADD", KEYS.masked("ann"), 1, "x"),
    ("TIME",),
    ("INFO", "server"),
]


#: Without channels, which go with their namespace's keys, and an EVAL of no key.
WITH_KEYS = [
    each
    for each in COMMANDS
    if each[0] not in ("PUBLISH", "SUBSCRIBE", "EVAL") or each[-1] == "argument"
]


@pytest.mark.parametrize("command", WITH_KEYS, ids=lambda command: str(command[0]))
def test_the_slot_is_that_of_the_key_that_the_server_finds(
    cluster: Cluster, command: tuple[Any, ...]
) -> None:
    try:
        keys = cluster.masters[0].ask("COMMAND GETKEYS", *words(command))
    except ResponseError as error:
        assert "no key arguments" in str(error)
        assert slot_of(words(command)) is None
    else:
        assert slot_of(words(command)) == key_slot(keys[0].encode())


def mapped() -> tuple[Nodes, Clock]:
    """Return three nodes of a third of the slots each, and their clock."""
    clock = Clock()
    nodes = Nodes([A], clock)
    asking = map_route(nodes)
    assert next(asking) == {A: [("CLUSTER", "SLOTS")]}
    third = N_SLOTS // 3
    slots = [
        [0, third - 1, [b"", 1]],  # no host: the one that was asked
        [third, 2 * third - 1, [b"10.0.0.1", 2]],
        [2 * third, N_SLOTS - 1, [b"10.0.0.1", 3]],
    ]
    with pytest.raises(StopIteration):
        asking.send({A: [slots]})
    return nodes, clock


def key_at(node: Any, nodes: Nodes) -> str:
    return next(k for k in map(str, range(1000)) if nodes.owner(key_slot(k.encode())) == node)


def replies(nodes: Nodes, batch: list[Any], *answers: Any) -> tuple[list[Any], list[Requests]]:
    """Return the replies to a batch, and what was asked; `answers` are given one by one."""
    steps, asked, given = batch_route(nodes, batch), list[Requests](), iter(answers)
    try:
        asked.append(next(steps))
        while True:
            asked.append(steps.send(next(given)))
    except StopIteration as done:
        return done.value, asked


def test_many_keys_go_to_their_nodes_and_come_back_in_order() -> None:
    nodes, _ = mapped()
    a, b = key_at(A, nodes), key_at(B, nodes)
    found, asked = replies(
        nodes,
        [("MGET", b, a, b), ("TIME",), ("UNLINK", a, b)],
        {B: [b"1", b"3", [9, 9], 1], A: [b"2", 0]},
    )
    assert found == [[b"1", b"2", b"3"], [9, 9], 1]
    assert asked == [
        {B: [("GET", b), ("GET", b), ("TIME",), ("UNLINK", b)], A: [("GET", a), ("UNLINK", a)]}
    ]


def test_what_has_moved_is_sent_on_and_what_moves_is_sent_on_once() -> None:
    nodes, _ = mapped()
    key = key_at(A, nodes)
    slot = key_slot(key.encode())
    ask, moved = AskError(f"{slot} 10.0.0.1:2"), MovedError(f"{slot} :3")
    moved.host = ""
    found, asked = replies(nodes, [("GET", key)], {A: [ask]}, {B: [b"OK", b"x"]})
    assert found == [b"x"]
    assert asked[1] == {B: [("ASKING",), ("GET", key)]}
    assert nodes.owner(slot) == A
    assert replies(nodes, [("GET", key)], {A: [moved]}, {C: [b"y"]})[0] == [b"y"]
    assert nodes.owner(slot) == C
    endless = [{C: [MovedError(f"{slot} 10.0.0.1:3")]}] * 9
    found, asked = replies(nodes, [("GET", key)], *endless)
    assert isinstance(found[0], MovedError)
    assert len(asked) == 5


def test_a_node_that_fails_is_left_alone_and_the_map_is_asked_for_again() -> None:
    nodes, clock = mapped()
    a, b = key_at(A, nodes), key_at(B, nodes)
    clock.now_s = 10.0
    for _ in range(ReadSettings().breaker_after):
        found, _ = replies(nodes, [("GET", a), ("GET", b)], {A: NoAnswer("late"), B: [b"1"]})
        assert isinstance(found[0], NoAnswer)
        assert found[1] == b"1"
    (refused, _), later = replies(nodes, [("GET", a), ("GET", b)], {B: [b"1"]})
    assert isinstance(refused, NotAsked)
    assert list(later[0]) == [B]
    assert nodes.is_due
    assert A not in nodes.tellers()


def test_scripts_and_transactions_are_of_one_slot() -> None:
    with pytest.raises(ClusterCrossSlotError):
        slot_of(("EVAL", "", 2, "a", "b"))
    with pytest.raises(ClusterCrossSlotError):
        transaction([("GET", "a"), ("GET", "b")])
    part = transaction([("GET", "a"), ("XINFO STREAM", "a")])
    assert part.commands == (("MULTI",), ("GET", "a"), ("XINFO", "STREAM", "a"), ("EXEC",))
