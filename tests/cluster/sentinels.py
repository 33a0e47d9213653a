"""A primary that Sentinel names, on loopback, with a replica."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT
from subprocess import DEVNULL, Popen
from typing import Any

from tests.cluster.nodes import VALKEY, Program
from tests.conftest import free_port

FAILED_OVER_S = 20.0


@dataclass
class Watched:
    """A primary, its replica, and the three sentinels that watch them."""

    primary: "Popen[bytes]"
    replica: "Popen[bytes]"
    primary_port: int
    replica_port: int
    sentinel_ports: list[int]
    program: Program = VALKEY

    @property
    def url(self) -> str:
        return f"redis+sentinel://{self.places}/lists"

    @property
    def places(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports)

    def fail_over(self) -> None:
        """Kill the primary, and return once its replica is one."""
        self.primary.kill()
        self.primary.wait()
        self.replica.send_signal(SIGCONT)
        until = time.monotonic() + FAILED_OVER_S
        replica = self.program.client(self.replica_port)
        while replica.info("replication")["role"] != "master":
            assert time.monotonic() < until, "no sentinel has made the replica primary"
            time.sleep(0.05)


@contextmanager
def watched(folder: Path, program: Program = VALKEY) -> Iterator[Watched]:
    """Run a primary, its replica and three sentinels; all are gone at the end."""
    ask = program.client
    with ExitStack() as stack:

        def start(*arguments: str) -> "Popen[bytes]":
            process = stack.enter_context(Popen([program.binary, *arguments], stdout=DEVNULL))
            stack.callback(process.kill)
            stack.callback(process.send_signal, SIGCONT)
            return process

        ports = [free_port() for _ in range(5)]
        common = ("--bind", "127.0.0.1", "--dir", str(folder), "--loglevel", "warning")
        kept = ("--repl-diskless-sync-delay", "0", "--save", "", *common)
        servers = [start(*program.options, program.port, str(port), *kept) for port in ports[:2]]
        ask(ports[1]).replicaof("127.0.0.1", str(ports[0]))
        while ask(ports[1]).info("replication")["master_link_status"] != "up":
            time.sleep(0.02)
        for port in ports[2:]:
            config = folder / f"{port}.conf"
            config.write_text(
                f"bind 127.0.0.1\ndir {folder}\n"
                f"sentinel monitor lists 127.0.0.1 {ports[0]} 2\n"
                "sentinel down-after-milliseconds lists 500\nsentinel failover-timeout lists 3000\n"
            )
            start(str(config), "--sentinel", *program.options, program.port, str(port))
        for port in ports[2:]:
            with closing(ask(port)) as sentinel:
                while not _knows_all(sentinel):
                    time.sleep(0.05)
        yield Watched(servers[0], servers[1], ports[0], ports[1], ports[2:], program)


def _knows_all(sentinel: Any) -> bool:
    of_primary = sentinel.sentinel_masters()["lists"]
    return bool(of_primary["num-other-sentinels"] == 2 and of_primary["num-slaves"] == 1)
