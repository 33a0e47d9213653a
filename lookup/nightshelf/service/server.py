"""Server process of the service."""

import gc
import logging
import resource
import signal

import uvicorn
from fastapi import FastAPI

from nightshelf.service.access_log import logger, server_logs
from nightshelf.service.connections import Connections
from nightshelf.service.dependencies import State
from nightshelf.service.protocol import bounded_by

#: Open files besides connections: of Redis, the dashboard and libraries.
_OTHER_FILES = 200


def run(app: FastAPI, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then finish running requests for `drain_s` at most."""
    # uvicorn raises the signal again once it has drained: ignore it then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    _collect_seldom()
    state: State = app.state.nightshelf
    settings = state.settings
    _allow_files(settings.max_connections)
    connections = Connections(
        settings.max_connections,
        settings.max_head_bytes,
        settings.max_body_bytes,
        settings.receive_s,
        state.metrics,
    )
    try:
        uvicorn.run(
            app,
            host=host,
            port=port,
            ws="none",
            http=bounded_by(connections),
            # uvicorn would trust any peer at 127.0.0.1.
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(map(str, settings.trusted_proxies)),
            log_config=server_logs(),
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=settings.drain_s,
        )
    finally:
        # Or DuckDB prints what it takes for leaks when Python ends: logging outlives modules.
        gc.unfreeze()
        logging.getLogger().handlers.clear()


def _allow_files(n_connections: int) -> None:
    """Raise the limit of open files to that of connections, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = n_connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        logger().warning(
            "few files",
            hint=f"max_connections needs {wanted} open files, the system allows {hard}: ulimit -n",
        )
        wanted = hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _collect_seldom() -> None:
    """Run the cyclic garbage collector a tenth as often, and never on objects loaded by now.

    Each run walks the whole cache while requests wait, and requests leave hardly any cycles
    (docs/decisions/0020-service.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)
