"""Routes of lists: of a user, of many users, of similar items, of a segment.

Responses are serialised without validation, which would cost more than a cached read.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from nightshelf.client.results import Item, Result
from nightshelf.service.auth import needs
from nightshelf.service.dependencies import state_of
from nightshelf.service.problems import documented
from nightshelf.service.request_model import Direct, parameters, parse
from nightshelf.service.schemas import lists as bodies

router = APIRouter(
    route_class=Direct,
    tags=["lists"],
    dependencies=[Depends(needs("read"))],
    responses=documented(400, 401, 403, 404, 413, 415, 422, 429, 431),
)


# Routes are tried in this order, the most frequent first. `id` matches slashes, as servers decode
# %2F.
@router.get(
    "/recommendations/{user_id:id}",
    response_model=bodies.Recommendations,
    openapi_extra=parameters(bodies.UserPage, "user_id"),
)
async def recommend_one(request: Request) -> Response:
    """Return a page of a user's list; filters need the POST."""
    page = parse(request, bodies.UserPage)
    result = await state_of(request).shelf.get(
        page.user_id,
        page.n,
        model=page.model_name,
        cursor=page.cursor,
        metadata=page.metadata,
        forced=page.forced,
    )
    return _answer(request, result, {"user_id": page.user_id, "cursor": result.cursor})


@router.post("/recommendations", response_model=bodies.Recommendations)
async def recommend(request: Request, wanted: bodies.Recommend) -> Response:
    """Return a page of a user's list; every user has one, known or not."""
    result = await state_of(request).shelf.get(
        wanted.user_id,
        wanted.n,
        model=wanted.model_name,
        filters=wanted.filters.filters() if wanted.filters else None,
        cursor=wanted.cursor,
        metadata=wanted.metadata,
        forced=wanted.forced,
    )
    return _answer(request, result, {"user_id": wanted.user_id, "cursor": result.cursor})


@router.post("/recommendations/batch", response_model=bodies.Batched)
async def recommend_many(request: Request, wanted: bodies.Batch) -> Response:
    """Return the first page of many users' lists, read in one round trip."""
    state = state_of(request)
    results = await state.shelf.get_many(wanted.user_ids, wanted.n)
    for result in results:
        state.metrics.assigned(result)
    pages = [
        {"user_id": user, **_page(result), "cursor": result.cursor}
        for user, result in zip(wanted.user_ids, results, strict=True)
    ]
    return Response(orjson.dumps({"results": pages}), media_type="application/json")


@router.get(
    "/similar/{item_id:id}",
    response_model=bodies.Similar,
    openapi_extra=parameters(bodies.Alike, "item_id"),
)
async def similar(request: Request) -> Response:
    """Return similar items."""
    cut = parse(request, bodies.Alike)
    result = await state_of(request).shelf.similar(
        cut.item_id, cut.n, user=cut.user_id, metadata=cut.metadata
    )
    return _answer(request, result, {"item_id": cut.item_id})


@router.get(
    "/popular/{segment:id}",
    response_model=bodies.Popular,
    openapi_extra=parameters(bodies.InSegment, "segment"),
)
async def popular(request: Request) -> Response:
    """Return a segment's popular items."""
    cut = parse(request, bodies.InSegment)
    result = await state_of(request).shelf.popular(
        cut.segment, cut.n, user=cut.user_id, metadata=cut.metadata
    )
    return _answer(request, result, {"segment": cut.segment})


def _answer(request: Request, result: Result, about: Mapping[str, Any]) -> Response:
    notes = request.scope["state"]
    notes["model"], notes["source"] = result.model, result.source
    state_of(request).metrics.assigned(result)
    return Response(orjson.dumps({**about, **_page(result)}), media_type="application/json")


def _page(result: Result) -> dict[str, Any]:
    page = {
        "recommendations": list(map(_item, result.items)),
        "model_used": result.model,
        "source": result.source,
        "generation": result.generation,
        "cached": result.cached,
    }
    if result.experiment is not None:
        page |= {
            "experiment": result.experiment,
            "variant": result.variant,
            "phase": result.phase,
            **({"forced": True} if result.forced else {}),
        }
    return page


def _item(item: Item) -> dict[str, Any]:
    item_id, score, reason, metadata = item
    if metadata is None:
        return {"item_id": item_id, "score": score, "reason": reason}
    return {"item_id": item_id, "score": score, "reason": reason, "metadata": metadata}
