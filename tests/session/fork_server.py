"""The fork server: `python -m tests.session.fork_server SOCKET`."""

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import prefect.context
from prefect.logging.configuration import setup_logging

from tests.session.client import COMMANDS

#: Imported once, with all that they import.
MODULES = (
    *(f"flows.{name}" for name in ("nightly", "backfill", "collect", "refresh", "watch")),
    *("flows.evaluate", "flows.readout", "flows.tune", "nightshelf.cli.main", "prefect.cli"),
)
_DIED = 128  # of a signal, as a shell has it


@dataclass(frozen=True)
class Request:
    """A command, with the place and the open files that it runs with."""

    name: str
    arguments: list[str]
    folder: str
    env: dict[str, str]
    files: list[int]


def receive(client: socket.socket) -> Request:
    """Read a request."""
    size, files, *_ = socket.recv_fds(client, 4, 3)
    with client.makefile("rb") as stream:
        asked = json.loads(stream.read(int.from_bytes(size, "big")))
    return Request(**asked, files=files)


def serve(address: str) -> Request:
    """Fork for each request, and return it in the child; the server goes on without end."""
    running: dict[int, tuple[int, socket.socket]] = {}
    with selectors.DefaultSelector() as ready, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}.new")
        listener.listen(64)
        Path(f"{address}.new").rename(address)  # found, it can be connected to
        ready.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                at: Any = key.fileobj
                if at is listener:
                    client, _ = listener.accept()
                    request = receive(client)
                    pid = os.fork()
                    if pid == 0:
                        for _, other in running.values():
                            other.close()
                        client.close()
                        return request
                    for file in request.files:
                        os.close(file)
                    ready.register(client, selectors.EVENT_READ, pid)
                    ready.register(end := os.pidfd_open(pid), selectors.EVENT_READ, pid)
                    running[end] = pid, client
                elif at in running:
                    pid, client = running.pop(at)
                    ready.unregister(at)
                    os.close(at)
                    _end(pid, client)
                    with suppress(KeyError):
                        ready.unregister(client)
                    client.close()
                else:  # the client has ended before the command
                    ready.unregister(at)
                    with suppress(ProcessLookupError):
                        os.kill(key.data, signal.SIGTERM)


def _end(pid: int, client: socket.socket) -> None:
    """Tell a client how its command ended."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):
        client.sendall(str(code if code >= 0 else _DIED - code).encode())


def run(request: Request) -> None:
    """Become the process that was asked for."""
    for number, file in enumerate(request.files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.env)
    prefect.context.refresh_global_settings_context()
    setup_logging(incremental=False)
    option, what, *arguments = request.arguments
    sys.argv[:] = [request.name, *arguments]
    sys.path[0] = request.folder if option == "-m" else ""
    if option == "-m":
        sys.modules.pop(what, None)  # it runs as `__main__`
        runpy.run_module(what, run_name="__main__", alter_sys=True)
        return
    sys.argv[0] = request.name if request.name in COMMANDS else "-c"
    main = sys.modules["__main__"] = ModuleType("__main__")
    exec(compile(what, "<string>", "exec"), main.__dict__)


def end(code: object) -> NoReturn:
    """End as an interpreter does, but leave its memory to the system: that is a second less."""
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    for module in MODULES:
        importlib.import_module(module)
    gc.freeze()  # no collection writes to pages that forks share
    asked = serve(sys.argv[1])
    try:
        run(asked)
    except SystemExit as left:
        end(left.code)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        end(1)
    end(0)
