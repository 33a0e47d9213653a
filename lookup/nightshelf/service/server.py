"""The service in a process of its own."""

import signal

import uvicorn

from nightshelf.service.app import create_app
from nightshelf.service.settings import ServiceSettings


def serve(settings: ServiceSettings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are finished, for `drain_s` at most."""
    # uvicorn raises the signal again once it has drained: what it then meets shall not kill us.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    uvicorn.run(
        create_app(settings),
        host=host,
        port=port,
        ws="none",
        http="httptools",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_s,
    )
