"""A real Prefect server for whole nights, and where the public logs lie."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[2]
_START_S = 90


@pytest.fixture(scope="session")
def prefect_env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Yield an environment that points at a Prefect server of our own, on a free port."""
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_healthy(f"http://127.0.0.1:{port}/api/health", server, home / "server.log")
            yield environment
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of the public logs; skip where they are absent."""
    folder = Path(os.environ.get("NIGHTSHELF_REAL_DATA", ROOT / "../shared/data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no public logs at {folder}; name their folder in NIGHTSHELF_REAL_DATA")
    return folder


def _wait_healthy(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            with urlopen(url, timeout=1):
                return
        except URLError:
            time.sleep(0.2)
    raise AssertionError(f"Prefect's server is not healthy after {_START_S} s:\n{log.read_text()}")
