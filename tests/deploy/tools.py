"""Programs that check files for servers: from requirements-release.lock, or the machine's."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
_RELEASE = ROOT / ".venv-release/bin"


def program(name: str) -> str:
    """Return a program's path, or skip the test and say how to get it."""
    path = os.pathsep.join([str(_RELEASE), os.environ.get("PATH", "")])
    if found := shutil.which(name, path=path):
        return found
    pytest.skip(f"{name} is not installed (make release-tools, or the system's package)")


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Run a command that must succeed, and return its output."""
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
