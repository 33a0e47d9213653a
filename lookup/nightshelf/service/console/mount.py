"""Mount of the console's routes in the service."""

from fastapi import FastAPI

from nightshelf.service.console.pages import NAVIGATION, PATH
from nightshelf.service.console.routes import (
    catalogue,
    experiments,
    frame,
    generations,
    items,
    overview,
    settings,
    users,
)
from nightshelf.service.console.state import new_state
from nightshelf.service.settings import ServiceSettings

#: Routers of the pages; the order of the navigation is that of `NAVIGATION`.
ROUTERS = (
    overview.router,
    generations.router,
    users.router,
    items.router,
    catalogue.router,
    experiments.router,
    settings.router,
)


def mount(app: FastAPI, given: ServiceSettings) -> None:
    """Add the console to an app; `ValueError` for an invalid address of Redis."""
    routers = (frame.files, frame.router, *ROUTERS, frame.absent)
    paths = {getattr(route, "path", "") for router in ROUTERS for route in router.routes}
    pages = {path: name for path, name in NAVIGATION.items() if PATH + path in paths}
    app.state.console = new_state(given, pages)
    for router in routers:
        app.include_router(router)
