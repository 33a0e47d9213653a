"""The app: routes within CORS, the access log and the callers' limits, from the outside in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from nightshelf.client.async_shelf import AsyncShelf
from nightshelf.client.settings import ReadSettings
from nightshelf.service.access_log import AccessLog, logger
from nightshelf.service.dependencies import State
from nightshelf.service.event_quota import Shares
from nightshelf.service.metrics import Metrics
from nightshelf.service.problems import handle, schemas
from nightshelf.service.rate_limit import CallerLimits
from nightshelf.service.routes import docs, health, lists, track
from nightshelf.service.routes import features as rows
from nightshelf.service.settings import ServiceSettings

#: Reads at the start before the log says that there is nothing to serve.
_TRIES = 3


class Service(FastAPI):
    """An app under a proxy's path, with the schemas of its errors in OpenAPI."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, under the proxy's path."""
        if root_path := self.state.nightshelf.settings.root_path:
            scope["root_path"] = root_path
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, built once."""
        document = super().openapi()
        document["components"]["schemas"].update(schemas())
        return document


def create_app(settings: ServiceSettings) -> FastAPI:
    """Return the service; it connects to Redis at startup and closes at shutdown.

    `ValueError` where the settings need an absent extra.
    """
    shelf = AsyncShelf.from_url(
        settings.redis_url.get_secret_value(),
        settings.namespace,
        settings=ReadSettings(
            deadline_s=settings.deadline_s,
            recent_user_ttl_s=settings.recent_user_ttl_s,
            recent_item_ttl_s=settings.recent_item_ttl_s,
            max_events=settings.max_events,
        ),
    )
    shares = Shares(settings.max_events, settings.caller_share)
    state = State(settings, shelf, Metrics(shelf), shares)
    log = logger()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if not settings.keys:
            log.warning(
                "open", hint="no keys are set, so whoever reaches this port may do anything"
            )
        if settings.events_dir and not settings.events_dir.is_dir():
            log.warning("no event log", hint=f"events_dir is no folder: {settings.events_dir}")
        if settings.console and settings.runs_dir and not settings.runs_dir.is_dir():
            log.warning("no runs", hint=f"runs_dir is no folder: {settings.runs_dir}")
        await _warn_if_empty(shelf, log)
        try:
            async with shelf.listening():
                yield
        finally:
            await shelf.aclose()
            if settings.console:
                app.state.console.client.close()

    app = Service(
        title="Nightshelf",
        version=version("nightshelf"),
        description="Recommendation lists, built overnight, read by key.",
        lifespan=lifespan,
        docs_url=None,  # one of our own: the framework's takes its files from a CDN
        redoc_url=None,
        redirect_slashes=False,
        routes=_routes(),
    )
    app.state.nightshelf = state
    handle(app)
    if settings.events_dir:
        if not find_spec("duckdb"):
            raise ValueError("events_dir needs DuckDB: pip install 'nightshelf[dashboard]'")
        from nightshelf.service.routes import dashboard  # noqa: PLC0415 - needs the extra `dashboard`

        app.include_router(dashboard.router)
    if settings.console:
        if not all(map(find_spec, ("duckdb", "jinja2", "itsdangerous", "python_multipart"))):
            raise ValueError("console needs its extra: pip install 'nightshelf[console]'")
        from nightshelf.service.console.mount import mount  # noqa: PLC0415 - needs the extra `console`

        mount(app, settings)
    app.add_middleware(CallerLimits, settings=settings)
    app.add_middleware(AccessLog, metrics=state.metrics, log=log)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Content-Type", "X-Request-ID"),
            expose_headers=("X-Request-ID", "Retry-After"),
        )
    return app


async def _warn_if_empty(shelf: AsyncShelf, log: Any) -> None:
    """Log at startup that there is nothing to serve; Redis may come later."""
    for _ in range(_TRIES):  # the first read also connects
        await shelf.popular("all", 1)
        counters = shelf.counters()
        if counters.generation is not None:
            return
    log.warning(
        "nothing to serve",
        shelf=repr(shelf),
        causes=sorted(counters.causes),
        hint="no generation was found in this namespace; see `nightshelf doctor`",
    )


def _routes() -> list[BaseRoute]:
    """Return the routes, the most frequent first; the first match serves.

    They are flat, as a nested router would be searched twice for each request.
    """
    routers = (lists.router, track.router, rows.router, health.router, docs.router)
    return [route for router in routers for route in router.routes]
