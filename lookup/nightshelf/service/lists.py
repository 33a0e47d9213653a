"""Lists over HTTP: a user's, many users', items like one, a segment's.

Answers are written as bytes at once: on a warm shelf checking them would cost more than making them.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from nightshelf.answers import Item, Result
from nightshelf.service import bodies
from nightshelf.service.keys import needs
from nightshelf.service.state import state_of

router = APIRouter(tags=["lists"], dependencies=[Depends(needs("read"))])


@router.post("/recommendations", response_model=bodies.Recommendations)
async def recommend(request: Request, asked: bodies.Recommend) -> Response:
    """Return a page of a user's list; every user has one, known or not."""
    result = await state_of(request).shelf.get(
        asked.user_id,
        asked.n,
        model=asked.model_name,
        filters=asked.filters.filters() if asked.filters else None,
        cursor=asked.cursor,
        metadata=asked.metadata,
    )
    return _answer(request, result, {"user_id": asked.user_id, "cursor": result.cursor})


@router.post("/recommendations/batch", response_model=bodies.Batched)
async def recommend_many(request: Request, asked: bodies.Batch) -> Response:
    """Return the beginnings of many users' lists, read in one round trip."""
    results = await state_of(request).shelf.get_many(asked.user_ids, asked.n)
    pages = [
        {"user_id": user, **_page(result), "cursor": result.cursor}
        for user, result in zip(asked.user_ids, results, strict=True)
    ]
    return Response(orjson.dumps({"results": pages}), media_type="application/json")


# An id may hold a slash, and a server hands on %2F as one: hence `path`.
@router.get("/recommendations/{user_id:path}", response_model=bodies.Recommendations)
async def recommend_one(
    request: Request, user_id: bodies.Id, page: Annotated[bodies.Page, Query()]
) -> Response:
    """Return a page of a user's list; filters need the POST."""
    result = await state_of(request).shelf.get(
        user_id,
        page.n,
        model=page.model_name,
        cursor=page.cursor,
        metadata=page.metadata,
    )
    return _answer(request, result, {"user_id": user_id, "cursor": result.cursor})


@router.get("/similar/{item_id:path}", response_model=bodies.Similar)
async def similar(
    request: Request, item_id: bodies.Id, cut: Annotated[bodies.Cut, Query()]
) -> Response:
    """Return items like this one."""
    result = await state_of(request).shelf.similar(
        item_id, cut.n, user=cut.user_id, metadata=cut.metadata
    )
    return _answer(request, result, {"item_id": item_id})


@router.get("/popular/{segment:path}", response_model=bodies.Popular)
async def popular(
    request: Request, segment: bodies.Segment, cut: Annotated[bodies.Cut, Query()]
) -> Response:
    """Return a segment's popular items."""
    result = await state_of(request).shelf.popular(
        segment, cut.n, user=cut.user_id, metadata=cut.metadata
    )
    return _answer(request, result, {"segment": segment})


def _answer(request: Request, result: Result, about: Mapping[str, Any]) -> Response:
    notes = request.scope["state"]
    notes["model"], notes["source"] = result.model, result.source
    return Response(orjson.dumps({**about, **_page(result)}), media_type="application/json")


def _page(result: Result) -> dict[str, Any]:
    return {
        "recommendations": list(map(_item, result.items)),
        "model_used": result.model,
        "source": result.source,
        "generation": result.generation,
        "cached": result.cached,
    }


def _item(item: Item) -> dict[str, Any]:
    item_id, score, reason, metadata = item
    if metadata is None:
        return {"item_id": item_id, "score": score, "reason": reason}
    return {"item_id": item_id, "score": score, "reason": reason, "metadata": metadata}
