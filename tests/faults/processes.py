"""Holding a publisher's process: let it run up to a point, then kill, freeze or wake it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT
from tests.faults.publisher import POINTS


class Publisher:
    """A night in a process of its own (`tests.faults.publisher`)."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def write(self, share: float) -> None:
        """Let it write until this share of its keys stands, and go on writing."""
        while True:
            word, done, total = self._line().split()
            assert word == "written"
            if int(done) >= share * int(total):
                return

    def reach(self, point: str) -> None:
        """Let it run until it says that it is at a point of `POINTS`, where it waits."""
        while (line := self._line()) != point:
            assert line in POINTS or line.startswith("written")
            if line in POINTS:
                self.go_on()

    def go_on(self) -> None:
        """Let it leave the point where it waits."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()
        assert self._process.wait() == -signal.SIGKILL

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def wake(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def last_words(self) -> str:
        """Let it run to its end, past every point; return what it said last."""
        words = ""
        while line := self._line(end=True):
            words = line
            if line in POINTS:
                self.go_on()
        assert self._process.wait() == 0
        return words

    def _line(self, *, end: bool = False) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line or end, "the publisher ended by itself"
        return line.rstrip("\n")


@contextmanager
def publishing(url: str, root: Path, n_users: int) -> Iterator[Publisher]:
    """Start a publisher; whatever becomes of it, it is gone at the end."""
    command = [sys.executable, "-m", "tests.faults.publisher", url, str(root), str(n_users)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Publisher(process)
        finally:
            process.kill()
