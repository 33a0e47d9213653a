"""A copy of `deploy/` with secrets made by its script, as on a server before the first start."""

import runpy
import shutil
import sys
from pathlib import Path

import pytest

from tests.deploy.tools import DEPLOY, run


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the copy."""
    folder = tmp_path_factory.mktemp("checkout") / "deploy"
    shutil.copytree(DEPLOY, folder, ignore=shutil.ignore_patterns("secrets"))
    run(sys.executable, folder / "make_secrets.py")
    return folder


@pytest.fixture(scope="session")
def script() -> dict[str, object]:
    """Names of `make_secrets.py`."""
    return runpy.run_path(str(DEPLOY / "make_secrets.py"))


def variables(path: Path) -> dict[str, str]:
    """Return the variables of an env file, as they stand: systemd, compose and kubectl agree."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines())
