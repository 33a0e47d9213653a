"""Nodes of a cluster: the owner of each slot, as last told, and the nodes that fail."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import ConnectionError as NoConnection

from nightshelf.client.core.circuit_breaker import Breaker
from nightshelf.client.core.failures import NotAsked
from nightshelf.client.settings import ReadSettings

N_SLOTS = 16_384
#: Host and port of a node.
Node = tuple[str, int]
#: A map that may be old is asked for again no more often than this.
_AGAIN_S = 1.0


class Nodes:
    """Map of slots to nodes, shared by all calls of a client.

    A node that fails several times in a row is asked once in a while only; the others go on.
    """

    def __init__(self, seeds: Sequence[Node], clock: Callable[[], float] = time.monotonic) -> None:
        self.seeds = tuple(seeds)
        self._clock = clock
        self._owners: list[Node | None] = []
        self._known: list[Node] = []
        self._breakers: dict[Node, Breaker] = {}
        self._asked_at, self._is_old, self._turn = float("-inf"), True, 0

    @property
    def is_mapped(self) -> bool:
        """True once a node has told the owners of the slots."""
        return bool(self._owners)

    @property
    def is_due(self) -> bool:
        """True while nothing is known, or where the map may be old and was not just asked for."""
        if not self._owners:
            return True
        return self._is_old and self._clock() - self._asked_at >= _AGAIN_S

    @property
    def masters(self) -> list[Node]:
        """The nodes that own slots, by the first slot of each."""
        return list(dict.fromkeys(node for node in self._owners if node))

    def shares(self) -> dict[Node, float]:
        """Return the share of all slots that each node owns, by its first slot."""
        return {node: self._owners.count(node) / N_SLOTS for node in self.masters}

    def owner(self, slot: int | None) -> Node | None:
        """Return the owner of a slot, or the first master for `None`; `None` where it has none."""
        if slot is not None:
            return self._owners[slot]
        return next((node for node in self._owners if node), None)

    def tellers(self) -> list[Node]:
        """Return the nodes to ask for the map, another one first each time."""
        self._turn += 1
        every = list(dict.fromkeys((*self._known, *self.seeds)))
        at = self._turn % len(every)
        turned = [*every[at:], *every[:at]]
        return [node for node in turned if not self._breaker(node).is_open] or turned

    def asking(self) -> None:
        """Note that the map is being asked for, so that others go on with what there is."""
        self._asked_at = self._clock()

    def learn(self, teller: Node, reply: Any) -> None:
        """Take the reply of CLUSTER SLOTS; an absent host is the one that was asked."""
        owners: list[Node | None] = [None] * N_SLOTS
        known: dict[Node, None] = {}
        for first, last, *places in reply:
            nodes = [_node(place, teller) for place in places]
            known |= dict.fromkeys(nodes)
            owners[int(first) : int(last) + 1] = [nodes[0]] * (int(last) + 1 - int(first))
        if not known:
            raise NoConnection(f"{teller[0]}:{teller[1]} knows no node that has slots")
        self._owners, self._known, self._is_old = owners, list(known), False

    def moved(self, slot: int, node: Node) -> None:
        """Note a slot's new owner, and that others may have moved as well."""
        self._owners[slot] = node
        self._is_old = True

    def admits(self, node: Node) -> bool:
        """Tell whether to ask a node now."""
        return self._breaker(node).admits()

    def answered(self, node: Node) -> None:
        """Note that a node has answered."""
        self._breaker(node).answered()

    def failed(self, node: Node, error: Exception) -> None:
        """Note that a node has not answered: another one may have its slots."""
        if not isinstance(error, NotAsked):
            self._breaker(node).failed()
            self._is_old = True

    def _breaker(self, node: Node) -> Breaker:
        given = ReadSettings.breaker_after, ReadSettings.breaker_wait_s, self._clock
        return self._breakers.get(node) or self._breakers.setdefault(node, Breaker(*given))


def _node(place: Sequence[Any], teller: Node) -> Node:
    host = place[0] or b""
    text = host.decode() if isinstance(host, bytes) else str(host)
    return (teller[0] if text in ("", "?") else text), int(place[1])
