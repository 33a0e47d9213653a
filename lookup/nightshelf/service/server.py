"""The service in a process of its own."""

import signal

import uvicorn
from fastapi import FastAPI

from nightshelf.service.logs import server_logs
from nightshelf.service.state import State


def run(app: FastAPI, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are finished, for `drain_s` at most."""
    # uvicorn raises the signal again once it has drained: what it then meets shall not kill us.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    state: State = app.state.nightshelf
    uvicorn.run(
        app,
        host=host,
        port=port,
        ws="none",
        http="httptools",
        log_config=server_logs(),
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=state.settings.drain_s,
    )
