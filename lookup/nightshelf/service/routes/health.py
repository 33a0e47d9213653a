"""Routes of health and metrics."""

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import PlainTextResponse, Response

from nightshelf.service.auth import needs
from nightshelf.service.dependencies import state_of
from nightshelf.service.problems import Problem, documented
from nightshelf.service.schemas import lists as bodies

router = APIRouter(tags=["health"])


@router.get("/health/live", response_model=bodies.Health, responses=documented(413))
async def live() -> Response:
    """Answer that the process lives; Redis is not asked, as a restart would not repair it."""
    return Response(orjson.dumps({"status": "live"}), media_type="application/json")


@router.get("/health/ready", response_model=bodies.Health, responses=documented(413, 503))
async def ready(request: Request) -> Response:
    """Answer whether there is anything to serve: a live generation, or cached lists.

    Redis is asked, once, only by a process that knows no generation.
    """
    shelf = state_of(request).shelf
    if shelf.counters().generation is None:
        held = await shelf.popular("all", 1)
        if not held.items and shelf.counters().generation is None:
            raise Problem(
                503,
                "No generation is live and no list is held; see `nightshelf doctor`.",
                headers={"Retry-After": "1"},
            )
    return Response(orjson.dumps({"status": "ready"}), media_type="application/json")


@router.get(
    "/metrics",
    dependencies=[Depends(needs("admin"))],
    response_class=PlainTextResponse,
    responses=documented(401, 403, 413, 429),
)
async def metrics(request: Request) -> Response:
    """Return the metrics in Prometheus' text format."""
    content, media_type = await state_of(request).metrics.render()
    return Response(content, headers={"Content-Type": media_type})
