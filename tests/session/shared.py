"""Things made once in a test session, by the first of its workers that asks."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_IN_WORKER = "PYTEST_XDIST_WORKER" in os.environ


def session_folder(factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the session's workers share."""
    base = factory.getbasetemp()
    folder = (base.parent if _IN_WORKER else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


def once(folder: Path, name: str, make: Callable[[], str]) -> str:
    """Return what `make` has returned to the session's first caller."""
    made = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            made.write_text(make())
    return made.read_text()


def keep(command: list[str], env: dict[str, str], log: Path) -> None:
    """Start a program that runs until the session ends."""
    session = os.getppid() if _IN_WORKER else os.getpid()
    kept = [sys.executable, "-m", "tests.session.kept", str(session), *command]
    with log.open("wb") as out:
        subprocess.run(kept, env=env, cwd=ROOT, stdout=out, stderr=out, check=True)
