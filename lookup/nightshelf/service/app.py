"""The app: routes, and around them, from the outside in, browsers' rules, the journal, the gate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.util import find_spec

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from nightshelf.async_shelf import AsyncShelf
from nightshelf.service import health, lists, rows
from nightshelf.service.limits import Gate
from nightshelf.service.logs import Journal, logger
from nightshelf.service.metrics import Metrics
from nightshelf.service.problems import documented, handle
from nightshelf.service.settings import ServiceSettings
from nightshelf.service.state import State
from nightshelf.settings import ReadSettings


def create_app(settings: ServiceSettings) -> FastAPI:
    """Return the service; it reaches for Redis once it is started, and closes when it stops."""
    shelf = AsyncShelf.from_url(
        settings.redis_url.get_secret_value(),
        settings.namespace,
        settings=ReadSettings(deadline_s=settings.deadline_s),
    )
    state = State(settings, shelf, Metrics(shelf))
    log = logger()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if not settings.keys:
            log.warning("open", hint="no keys are set, so whoever reaches this port may do anything")
        try:
            async with shelf.listening():
                yield
        finally:
            await shelf.aclose()

    app = FastAPI(
        title="Nightshelf",
        version=version("nightshelf"),
        description="Recommendation lists, built overnight, read by key.",
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.nightshelf = state
    handle(app)
    _include(app, settings)
    app.add_middleware(Gate, settings=settings)
    app.add_middleware(Journal, metrics=state.metrics, log=log)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Content-Type", "X-Request-ID"),
            expose_headers=("X-Request-ID", "Retry-After"),
        )
    return app


def _include(app: FastAPI, settings: ServiceSettings) -> None:
    errors = documented(400, 401, 403, 413, 422, 429)
    app.include_router(health.router)
    for router in (lists.router, rows.router):
        app.include_router(router, responses=errors)
