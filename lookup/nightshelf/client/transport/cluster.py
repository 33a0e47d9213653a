"""Client of a Redis Cluster with the methods of `redis.Redis`: each command goes to its key's node.

Pipelines are one round trip to each node, and may run scripts. A read is bounded by its deadline;
everything else is asked again, for `patience_s`, while a node is being replaced or slots move.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from redis import Redis
from redis.client import EMPTY_RESPONSE, NEVER_DECODE, Pipeline
from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    MasterDownError,
    ReadOnlyError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer

from nightshelf.client.core.failures import FAILURES
from nightshelf.client.core.protocol import Batch
from nightshelf.client.transport.exchange import ManyServers
from nightshelf.client.transport.many_servers import Answer, ask_all, ask_one
from nightshelf.client.transport.route import (
    Requests,
    Route,
    batch_route,
    map_route,
    route,
    transaction,
)
from nightshelf.client.transport.slots import Node, Nodes

T = TypeVar("T")
#: Errors that pass once a replica has taken a node's place, or a slot has moved.
PASSING = (
    *(NoConnection, NoAnswer, OSError),
    *(ClusterDownError, MasterDownError, ReadOnlyError, TryAgainError),
)
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 1.0
#: A cursor of SCAN over all nodes has a digit for each: 0 at the end, else the node's own plus 1.
_CURSOR_BITS = 65
_ONE_CURSOR = (1 << _CURSOR_BITS) - 1


class ClusterClient(ManyServers, Redis):
    """A client of a cluster; threads may share it. `connection_pool` is that of the first seed."""

    def __init__(
        self, seeds: Sequence[Node], pool_of: Callable[[Node], Any], patience_s: float = 0.0
    ) -> None:
        self.nodes = Nodes(seeds)
        self._pool_of, self._patience_s = pool_of, patience_s
        self._clients: dict[Node, Redis] = {}
        super().__init__(connection_pool=pool_of(seeds[0]))
        self._timeout_s: float = self.connection_pool.connection_kwargs.get("socket_timeout") or 5.0

    def client_of(self, node: Node) -> Redis:
        """Return the client of one node."""
        found = self._clients.get(node)
        return found or self._clients.setdefault(node, Redis.from_pool(self._pool_of(node)))

    def masters(self) -> list[Node]:
        """Return the nodes that own slots, by the first slot of each."""
        self._refresh(None)
        return self.nodes.masters

    def ask(self, batch: Batch, until: float) -> list[Any]:
        """Return a reply for each command, within the deadline: `exchange.ask`."""
        self._refresh(until)
        return self._drive(batch_route(self.nodes, batch), until)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command on the node of its key."""
        (reply,) = self.run([args])
        if isinstance(reply, Exception):
            raise reply
        return self.decoded(args, options, reply)

    def run(self, batch: Batch) -> list[Any]:
        """Return a reply for each command, errors among them, asking again what may pass.

        That is for `patience_s`, and once at least for a node that is gone: the map may be old.
        """
        until = time.monotonic() + self._patience_s
        replies = self._once(batch)
        wait_s = 0.0
        while again := [at for at, reply in enumerate(replies) if may_pass(reply)]:
            is_gone = any(isinstance(replies[at], NoConnection) for at in again)
            if time.monotonic() + wait_s > until and (wait_s or not is_gone):
                break
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S) or _FIRST_WAIT_S
            later = self._once([batch[at] for at in again])
            for at, reply in zip(again, later, strict=True):
                replies[at] = reply
        return replies

    def run_transaction(self, batch: Batch) -> Any:
        """Return the reply of EXEC to commands of one slot."""
        self._refresh(None)
        return self._drive(route(self.nodes, [transaction(batch)]), None)[0]

    def on_each(self, *command: Any) -> dict[Node, Any]:
        """Return each master's reply to a command; raises the error of one that gave none."""
        replies = self._replies({node: [command] for node in self.masters()})
        return {node: self.decoded(command, {}, reply) for node, reply in replies.items()}

    def info(self, *sections: str, **_: Any) -> dict[str, Any]:  # type: ignore[override]
        """Return the first master's INFO, with the number of keys of all of them."""
        every: list[dict[str, Any]] = list(self.on_each("INFO", *sections).values())
        n_keys = sum(each["db0"]["keys"] for each in every if "db0" in each)
        return every[0] | ({"db0": {"keys": n_keys}} if n_keys else {})

    def ping(self, **_: Any) -> bool:
        """Ping all masters at once."""
        return all(self.on_each("PING").values())

    def scan(  # type: ignore[override]  # never text: it decodes nothing
        self,
        cursor: int = 0,
        match: Any = None,
        count: int | None = None,
        _type: str | None = None,
        **_: Any,
    ) -> tuple[int, list[bytes]]:
        """Scan all masters at once, `count` keys in all; the cursor holds that of each."""
        more: list[Any] = ["MATCH", match] if match is not None else []
        nodes, digits = self.masters(), int(cursor)
        more += ["COUNT", max(1, count // len(nodes))] if count is not None else []
        more += ["TYPE", _type] if _type is not None else []
        requests: Requests = {}
        for at, node in enumerate(nodes):
            digit = digits >> at * _CURSOR_BITS & _ONE_CURSOR
            if digit or not digits:
                requests[node] = [("SCAN", max(0, digit - 1), *more)]
        after, keys = 0, list[bytes]()
        for node, (own, found) in self._replies(requests).items():
            if int(own):
                after |= int(own) + 1 << nodes.index(node) * _CURSOR_BITS
            keys += found
        return after, keys

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "ClusterPipeline":
        """Return a pipeline; a transaction's keys must share one slot."""
        return ClusterPipeline(self, transaction)

    def pubsub(self, **kwargs: Any) -> Any:
        """Return a subscription on any node: messages reach all of them."""
        any_node: Any = self.client_of(self.nodes.tellers()[0])
        return any_node.pubsub(**kwargs)

    def close(self) -> None:
        """Close the connections to all nodes."""
        for client in (*self.__dict__.get("_clients", {}).values(),):
            client.close()
        if "connection_pool" in self.__dict__:
            self.connection_pool.disconnect()

    def decoded(self, args: Sequence[Any], options: Mapping[str, Any], reply: Any) -> Any:
        """Return a reply as redis-py's own client gives it."""
        own = {k: v for k, v in options.items() if k not in ("keys", NEVER_DECODE, EMPTY_RESPONSE)}
        callbacks: Any = self.response_callbacks
        callback = callbacks.get(args[0])
        return callback(reply, **own) if callback else reply

    def _replies(self, requests: Requests) -> dict[Node, Any]:
        """Return each node's reply to its one command; raises the first error."""
        found: dict[Node, Any] = {}
        for node, answer in self._asked(requests, None).items():
            reply = answer if isinstance(answer, Exception) else answer[0]
            if isinstance(reply, Exception):
                self.nodes.failed(node, reply)
                reply.add_note(_text(node))
                raise reply
            found[node] = reply
        return found

    def _once(self, batch: Batch) -> list[Any]:
        try:
            self._refresh(None)
        except FAILURES as error:
            return [error] * len(batch)
        return self._drive(batch_route(self.nodes, batch), None)

    def _refresh(self, until: float | None) -> None:
        """Read the map where that is due; each try has half of the time that is left."""
        if self.nodes.is_due:
            self._drive(map_route(self.nodes), until, share=0.5)

    def _drive(self, steps: Route[T], until: float | None, share: float = 1.0) -> T:
        answers: Any = None
        try:
            while True:
                requests = steps.send(answers)
                by = until
                if until is not None and share < 1:
                    now = time.monotonic()
                    by = now + share * (until - now)
                answers = self._asked(requests, by)
        except StopIteration as done:
            result: T = done.value
            return result

    def _asked(self, requests: Requests, until: float | None) -> dict[Node, Answer]:
        by = time.monotonic() + self._timeout_s if until is None else until
        if len(requests) == 1:
            ((node, batch),) = requests.items()
            return {node: ask_one(self.client_of(node), batch, by)}
        asked = [(self.client_of(node), batch) for node, batch in requests.items()]
        return dict(zip(requests, ask_all(asked, by), strict=True))


class ClusterPipeline(Pipeline):
    """Commands that go out together, one round trip to each node."""

    def __init__(self, cluster: ClusterClient, transaction: bool) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, transaction, None)
        self._cluster, self._in_one = cluster, transaction

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Return the replies in order; raises the first error, unless told otherwise."""
        stack, in_one = self.command_stack, bool(self._in_one)
        self.reset()
        if not stack:
            return []
        batch = [args for args, _ in stack]
        raw = self._cluster.run_transaction(batch) if in_one else self._cluster.run(batch)
        if isinstance(raw, Exception):
            raise raw
        error = next((reply for reply in raw if isinstance(reply, Exception)), None)
        if error and raise_on_error:
            raise error
        return [
            reply if isinstance(reply, Exception) else self._cluster.decoded(args, options, reply)
            for (args, options), reply in zip(stack, raw, strict=True)
        ]


def may_pass(reply: Any) -> bool:
    """Tell whether another try may succeed."""
    return isinstance(reply, PASSING) and not isinstance(reply, AuthenticationError)


def on_each(client: Redis, *command: Any) -> dict[str, Any]:
    """Return the reply of each server that holds keys, by its address; of a single one under ""."""
    if isinstance(client, ClusterClient):
        return {_text(node): reply for node, reply in client.on_each(*command).items()}
    asked: Any = client
    return {"": asked.execute_command(*command)}


def infos(client: Redis, *sections: str) -> dict[str, dict[str, Any]]:
    """Return the INFO of each server that holds keys, by its address."""
    return on_each(client, "INFO", *sections)


def slot_shares(client: Redis) -> dict[str, float] | None:
    """Return the share of all slots (0 to 1) of each master; `None` for a single server."""
    if not isinstance(client, ClusterClient):
        return None
    client.masters()
    return {_text(node): share for node, share in client.nodes.shares().items()}


def _text(node: Node) -> str:
    return f"{node[0]}:{node[1]}"
