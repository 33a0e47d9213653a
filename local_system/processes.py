"""Processes of the local system: started together, ended together, none left behind."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from honcho.manager import Manager

_WAIT_S = 3.0
#: Longest wait for a killed process, which the kernel ends when it comes to it.
_KILLED_S = 5.0


class System(Manager):  # type: ignore[misc]
    """A honcho manager that ends the flow runs first, which are in sessions of their own.

    A worker that is killed leaves the processes of its runs behind, and Prefect's server then shows
    them as running for ever.
    """

    #: Name of the process that ended by itself, before all others were told to.
    ended_first: str | None = None
    #: True once a person asked for the end.
    asked_to_end = False

    def terminate(self) -> None:
        """End all processes: flow runs, then the rest; a second call does nothing."""
        if self._terminating:
            return
        stopped = [n for n, p in self._processes.items() if "returncode" in p]
        self.ended_first = stopped[0] if stopped else None
        self.asked_to_end = not stopped
        pids = [p["pid"] for p in self._processes.values() if "pid" in p]
        self._apart = [pid for pid in descendants(pids) if _group(pid) not in pids]
        end(self._apart, _WAIT_S)
        super().terminate()

    def _killall(self, force: bool = False) -> None:
        """End the processes that have started; honcho's own fails before all have."""
        for each in self._processes.values():
            if "pid" in each and "returncode" not in each:
                (self._procmgr.kill if force else self._procmgr.terminate)(each["pid"])

    def returned(self, name: str) -> int:
        """Return a process's exit code."""
        code: int = self._processes[name]["returncode"]
        return code


def end(pids: Iterable[int], wait_s: float) -> None:
    """Ask processes to end, wait, and kill those that still run; return once none does."""
    pids = list(pids)
    for number, longest_s in ((signal.SIGTERM, wait_s), (signal.SIGKILL, _KILLED_S)):
        for pid in pids:
            _signal(pid, number)
        until = time.monotonic() + longest_s
        while time.monotonic() < until and any(map(runs, pids)):
            time.sleep(0.05)


def marked(variable: str, value: str) -> list[int]:
    """Return the processes with a variable of this value in their environment.

    Where there is no /proc, none is found, nor is a program that writes its title over it (Valkey).
    """
    text = f"{variable}={value}".encode()
    return [pid for pid in _parents() if text in _content(pid, "environ").split(b"\0")]


def holders(file: Path) -> list[int]:
    """Return the other processes that have a file open, and all that these have started."""
    found = [pid for pid in _parents() if pid != os.getpid() and has_open(pid, file)]
    return [*found, *descendants(found)]


def has_open(pid: int, file: Path) -> bool:
    """Tell whether a process runs and has a file open."""
    with suppress(OSError):  # it has ended, or is another user's
        links = Path(f"/proc/{pid}/fd").iterdir()
        return any(link.readlink() == file for link in links)
    return False


def _content(pid: int, name: str) -> bytes:
    """Return a file of a process under /proc; nothing where it has ended or is another user's."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return b""


def _group(pid: int) -> int:
    """Return a process's group; 0 where it has ended meanwhile."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def runs(pid: int) -> bool:
    """Tell whether a process runs."""
    return pid in _parents()


def descendants(pids: Iterable[int]) -> list[int]:
    """Return the processes that these have started, and those that they have started."""
    parents, found, front = _parents(), list[int](), set(pids)
    while front:
        front = {pid for pid, parent in parents.items() if parent in front}
        found += sorted(front)
    return found


def _parents() -> dict[int, int]:
    """Return the parent of each process that is no zombie."""
    if Path("/proc/self/stat").exists():
        found = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has ended
                state, parent = path.read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    found[int(path.parent.name)] = int(parent)
        return found
    listed = subprocess.run(
        ["ps", "-Ao", "pid=,ppid=,stat="],  # noqa: S607 - where there is no /proc
        capture_output=True,
        text=True,
        check=True,
    )
    rows = (line.split() for line in listed.stdout.splitlines())
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
