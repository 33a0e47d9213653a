"""Routes of feature rows."""

from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from nightshelf.service.auth import needs
from nightshelf.service.dependencies import state_of
from nightshelf.service.problems import documented
from nightshelf.service.request_model import Direct, parameters, parse
from nightshelf.service.schemas import lists as bodies

router = APIRouter(
    route_class=Direct,
    tags=["features"],
    dependencies=[Depends(needs("read"))],
    responses=documented(400, 401, 403, 404, 413, 422, 429),
)


@router.get(
    "/users/{user_id:id}/features",
    response_model=bodies.UserFeatures,
    openapi_extra=parameters(bodies.OneUser, "user_id"),
)
async def user_features(request: Request) -> Response:
    """Return a user's feature row, with recent events merged in."""
    user_id = parse(request, bodies.OneUser).user_id
    row = await state_of(request).shelf.user_features(user_id)
    return _row({"user_id": user_id, "features": row or None})


@router.get(
    "/items/{item_id:id}/features",
    response_model=bodies.ItemFeatures,
    openapi_extra=parameters(bodies.OneItem, "item_id"),
)
async def item_features(request: Request) -> Response:
    """Return an item's feature row, with recent events merged in."""
    item_id = parse(request, bodies.OneItem).item_id
    rows = await state_of(request).shelf.item_features([item_id])
    return _row({"item_id": item_id, "features": rows.get(item_id)})


def _row(document: dict[str, Any]) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")
