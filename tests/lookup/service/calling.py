"""An app called as a server would call it, without a server."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from nightshelf.service import ServiceSettings, create_app
from nightshelf.service.dependencies import State


class Caller:
    """Calls one app, all requests in one event loop."""

    def __init__(self, runner: asyncio.Runner, client: httpx.AsyncClient, state: State) -> None:
        self._runner = runner
        self._client = client
        self._state = state

    def get(self, path: str, **request: Any) -> httpx.Response:
        return self._runner.run(self._client.get(path, **request))

    def head(self, path: str, **request: Any) -> httpx.Response:
        return self._runner.run(self._client.head(path, **request))

    def post(self, path: str, **request: Any) -> httpx.Response:
        return self._runner.run(self._client.post(path, **request))

    def counted(self, name: str, **labels: str) -> float:
        """Return a figure as the app's registry has it, 0 where it has none."""
        registry: CollectorRegistry = self._state.metrics.registry
        return registry.get_sample_value(name, labels) or 0.0


@contextmanager
def calling(settings: ServiceSettings) -> Iterator[Caller]:
    """Yield a caller of the service with these settings."""
    app = create_app(settings)
    state: State = app.state.nightshelf
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")
        try:
            yield Caller(runner, client, state)
        finally:
            runner.run(client.aclose())
            runner.run(state.shelf.aclose())
