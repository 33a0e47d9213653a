"""Whether the process lives, whether it has lists to give, and its figures."""

import asyncio

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from nightshelf.service import bodies
from nightshelf.service.keys import needs
from nightshelf.service.problems import Problem, documented
from nightshelf.service.state import state_of

router = APIRouter(tags=["health"])


@router.get("/health/live", response_model=bodies.Health)
async def live() -> Response:
    """Say that the process answers; Redis is not asked, as a restart would not mend it."""
    return Response(orjson.dumps({"status": "live"}), media_type="application/json")


@router.get("/health/ready", response_model=bodies.Health, responses=documented(503))
async def ready(request: Request) -> Response:
    """Say whether there is anything to serve: a live generation, or lists that are still held."""
    shelf = state_of(request).shelf
    shown, status = await asyncio.gather(shelf.popular("all", 1), shelf.status())
    if not (shown.items or status.live):
        raise Problem(
            503,
            "No generation is live and no list is held; publish one, or see `nightshelf doctor`.",
            headers={"Retry-After": "1"},
        )
    generation = shown.generation or (status.live.generation if status.live else None)
    document = {"status": "ready", "generation": generation}
    return Response(orjson.dumps(document), media_type="application/json")


@router.get("/metrics", dependencies=[Depends(needs("admin"))], responses=documented(401, 403))
async def metrics(request: Request) -> Response:
    """Return the figures, in Prometheus' text format."""
    content, media_type = state_of(request).metrics.render()
    return Response(content, headers={"Content-Type": media_type})
