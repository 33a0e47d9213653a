"""A process of its own: what it may take, and that it dies alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import ModelError, ProcessDied
from tasks.io.child_process import in_child_process
from tasks.io.duckdb_session import connect

_PATIENCE_S = 60
_UNITS = ("bytes", "KiB", "MiB", "GiB")


def memory_limit(root: Path) -> int:
    """Return the bytes that DuckDB may take in this process."""
    with connect(root) as db:
        row = db.execute("SELECT current_setting('memory_limit')").fetchone()
    assert row is not None
    figure, unit = row[0].split()
    return int(float(figure) * 1024 ** _UNITS.index(unit))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def diverge() -> None:
    raise ModelError("user factors hold NaN")


def test_processes_at_once_share_the_memory(tmp_path: Path) -> None:
    share = in_child_process(4, lambda _: None, memory_limit, tmp_path)
    assert share == pytest.approx(memory_limit(tmp_path) / 4, rel=0.05)


def test_a_process_that_is_killed_says_what_to_do() -> None:
    with pytest.raises(ProcessDied, match="lower --parallel"):
        in_child_process(1, lambda _: None, die)


def test_what_fails_in_a_process_fails_as_it_would_here() -> None:
    with pytest.raises(ModelError, match="user factors hold NaN"):
        in_child_process(1, lambda _: None, diverge)


def test_a_date_ends_with_the_backfill_that_asked_for_it(tmp_path: Path) -> None:
    said = tmp_path / "pid"
    code = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from tasks.io.child_process import in_child_process\n"
        "def work(said):\n"
        "    Path(said).write_text(str(os.getpid()))\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    in_child_process(1, lambda future: None, work, sys.argv[1])\n"
    )
    (tmp_path / "asks.py").write_text(code)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "asks.py"), str(said)])
    wait_until(lambda: said.exists() and said.read_text() != "")
    child = int(said.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not _running(child))


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _running(pid: int) -> bool:
    """Tell whether a process is there, and more than a line that nobody has collected."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
