"""Feature rows over HTTP."""

from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from nightshelf.service import bodies
from nightshelf.service.keys import needs
from nightshelf.service.state import state_of

router = APIRouter(tags=["features"], dependencies=[Depends(needs("read"))])


@router.get("/users/{user_id:path}/features", response_model=bodies.UserFeatures)
async def user_features(request: Request, user_id: bodies.Id) -> Response:
    """Return what the last night knew of a user."""
    row = await state_of(request).shelf.user_features(user_id)
    return _row({"user_id": user_id, "features": row or None})


@router.get("/items/{item_id:path}/features", response_model=bodies.ItemFeatures)
async def item_features(request: Request, item_id: bodies.Id) -> Response:
    """Return what is known of an item."""
    rows = await state_of(request).shelf.item_features([item_id])
    return _row({"item_id": item_id, "features": rows.get(item_id)})


def _row(document: dict[str, Any]) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")
