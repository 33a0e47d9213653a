"""The service in a process of its own."""

import gc
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
    _collect_seldom()
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


def _collect_seldom() -> None:
    """Let Python look for cyclic garbage a tenth as often, and never in what is loaded by now.

    Each time it walks all lists that are kept, and every request waits for it. What requests leave
    behind has next to no cycles (docs/decisions/0020-service.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)
