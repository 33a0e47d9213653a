"""Ask the fork server to run a command, and end as it ends.

It imports little: it starts in 40 ms. What is no module or line of code, and services, which
get signals, run in processes of their own.
"""

import json
import os
import signal
import socket

#: What the installed commands run.
COMMANDS = {
    "nightshelf": "from nightshelf.cli.main import main; main()",
    "prefect": "import sys; from prefect.cli import app; sys.exit(app())",
}


def main(python: str, address: str, called: str, arguments: list[str]) -> None:
    """Run `python`, or the command of `COMMANDS` that was called, with these arguments."""
    if called in COMMANDS:
        arguments = ["-c", COMMANDS[called], *arguments]
    if arguments[:1] not in (["-m"], ["-c"]) or {"serve", "start"} & set(arguments):
        os.execv(python, [python, *arguments])
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    here = os.getcwd()  # noqa: PTH109 - pathlib is another 10 ms
    said = {"name": called, "arguments": arguments, "folder": here, "env": dict(os.environ)}
    request = json.dumps(said).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [len(request).to_bytes(4, "big")], [0, 1, 2])
        server.sendall(request)
        end = server.recv(16)
    os._exit(int(end) if end else 70)
