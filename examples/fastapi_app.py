"""A shop in FastAPI: ``REDIS_URL=... uvicorn --factory --app-dir examples fastapi_app:create_app``.

`nightshelf serve` is more than this: an HTTP service with all that a shelf can do.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from nightshelf import AsyncShelf


def create_app() -> FastAPI:
    """Return the shop; while it runs, it hears what other processes tell."""
    shelf = AsyncShelf.from_url(os.environ["REDIS_URL"], "shop")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with shelf.listening():
            yield
        await shelf.aclose()

    app = FastAPI(lifespan=lifespan)

    @app.get("/home/{user}")
    async def home(user: str) -> dict[str, Any]:
        result = await shelf.get(user, n=10)
        await shelf.shown(user, result)
        return {"source": result.source, "items": [item.item_id for item in result.items]}

    @app.post("/bought/{user}/{item}", status_code=204)
    async def bought(user: str, item: str) -> None:
        await shelf.acted(user, "purchase", item)  # it is off that user's lists from now on

    return app
