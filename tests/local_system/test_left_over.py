"""A system that was killed hard leaves processes: the next one in its folder ends them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data.schema import InputError
from local_system.alone import alone
from local_system.environment import FOLDER
from local_system.processes import runs

#: A system as honcho has it: a fork that holds the lock on, and starts what has the folder's name.
_SYSTEM = """
import os, subprocess, sys, time
from pathlib import Path
from local_system.alone import alone

with alone(Path(sys.argv[1])):
    if os.fork() == 0:
        marked = os.environ | {"LOCAL_SYSTEM_FOLDER": sys.argv[1]}
        child = subprocess.Popen(["sleep", "600"], env=marked, start_new_session=True)
        plain = subprocess.Popen(["sleep", "600"], start_new_session=True)
        print(os.getpid(), child.pid, plain.pid, flush=True)
    time.sleep(600)
"""


def test_a_killed_system_is_followed_by_another_and_a_living_one_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "up"
    other = subprocess.Popen(["sleep", "600"], env=os.environ | {FOLDER: f"{folder}-2"})
    command = [sys.executable, "-c", _SYSTEM, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as system:
        assert system.stdout is not None
        left = [int(pid) for pid in system.stdout.readline().split()]
        with pytest.raises(InputError, match="another make up runs in"), alone(folder):
            pass
        assert all(map(runs, left))
        system.send_signal(signal.SIGKILL)
        system.wait()
        with alone(folder):
            assert not any(map(runs, left))
    assert runs(other.pid), "a system in another folder goes on"
    other.kill()
    other.wait()
