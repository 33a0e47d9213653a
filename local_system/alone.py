"""One system a folder: a lock, taken over from a system that was killed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from data.schema import InputError
from local_system.environment import FOLDER
from local_system.processes import end, has_open, holders, marked

_END_S = 3.0


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a lock beside the folder; `InputError` where another system runs in it.

    The lock has the number of the process. If that was killed, those that it left are ended first:
    honcho's, which hold the lock on, and all that they have started.
    """
    path = folder.with_name(f"{folder.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        lock.seek(0)
        owner = lock.read()
        if not _taken(lock):
            if owner.isdecimal() and not has_open(int(owner), path):
                _end_left_over(holders(path))
            if not _taken(lock):
                raise InputError(f"another make up runs in {folder}: end it first")
        _end_left_over(marked(FOLDER, str(folder)))
        lock.truncate(0)
        print(os.getpid(), end="", file=lock, flush=True)
        yield


def _taken(lock: TextIO) -> bool:
    """Take the lock, unless another process holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end_left_over(pids: list[int]) -> None:
    if pids:
        print(f"Ending {len(pids)} processes of a make up that was killed ...", flush=True)
        end(pids, _END_S)
