"""``POST /track/...``: what users were shown and did, recorded and felt at once.

Each route takes one event or a list. An event that is sent twice (the same `event_id`) counts once:
the metrics remember the ids of the last minutes, and who reads the log drops doubles. So whoever
gives ids, and gets no answer or a 503, sends all of it again.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

import orjson
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from nightshelf.client.event import Event
from nightshelf.contract.feature_rules import PURCHASE
from nightshelf.service.auth import needs
from nightshelf.service.dependencies import State, state_of
from nightshelf.service.event_quota import not_recorded, within_share
from nightshelf.service.problems import documented
from nightshelf.service.request_model import Direct
from nightshelf.service.schemas.track import Accepted, Action, Click, Conversion, Impression, Some

router = APIRouter(
    prefix="/track",
    route_class=Direct,
    tags=["track"],
    dependencies=[Depends(needs("track"))],
)
_SAYS: dict[str, Any] = {
    "status_code": 202,
    "response_class": Response,
    "responses": {202: {"model": Accepted}}
    | documented(400, 401, 403, 404, 413, 415, 422, 429, 503),
}


class _Telling(Protocol):
    def event(self) -> Event: ...


@router.post("/impression", **_SAYS)
async def impression(told: Some[Impression], request: Request) -> Response:
    """Tell that items were shown."""
    return await _recorded(request, _events(told))


@router.post("/click", **_SAYS)
async def click(told: Some[Click], request: Request) -> Response:
    """Tell that items were clicked on."""
    return await _recorded(request, _events(told))


@router.post("/conversion", **_SAYS)
async def conversion(told: Some[Conversion], request: Request) -> Response:
    """Tell that items were bought: they leave the user's lists at once."""
    state = state_of(request)
    purchase = (await _purchases(state))[0]
    conversions = told if isinstance(told, Sequence) else [told]
    return await _acted(request, [each.event(purchase) for each in conversions])


@router.post("/action", **_SAYS)
async def action(told: Some[Action], request: Request) -> Response:
    """Tell what users did, with all that the night's settings say it does."""
    return await _acted(request, _events(told))


def _events(told: _Telling | Sequence[_Telling]) -> list[Event]:
    return [each.event() for each in (told if isinstance(told, Sequence) else [told])]


async def _recorded(request: Request, events: list[Event]) -> Response:
    """Record events that have no effect at once, in one round trip."""
    await within_share(request, len(events))
    told = await state_of(request).shelf.record(events)
    return _accepted(request, events, told.cause)


async def _purchases(state: State) -> Sequence[str]:
    """Return the types of event that are purchases by the live night's settings."""
    counting = await state.shelf.counting()
    return counting.purchases if counting else (PURCHASE,)


async def _acted(request: Request, events: list[Event]) -> Response:
    """Record actions one by one, up to the first that Redis does not take."""
    await within_share(request, len(events))
    state, cause, unknown = state_of(request), None, dict[str, None]()
    for event in events:
        details = asdict(event)
        what = [details.pop(name) for name in ("user_id", "event_type", "item_id", "value")]
        done = await state.shelf.acted(*what, **details)
        cause, unknown = cause or done.cause, unknown | dict.fromkeys(done.unknown_types)
        if cause and cause != "full":  # what an action does at once is done even then
            break
    return _accepted(request, events, cause, await _purchases(state), list(unknown))


def _accepted(
    request: Request,
    events: list[Event],
    cause: str | None,
    purchases: Sequence[str] = (PURCHASE,),
    unknown: Sequence[str] = (),
) -> Response:
    if cause:
        raise not_recorded(request, events, cause)
    state = state_of(request)
    state.shares.took(request.scope["state"]["caller"], len(events))
    state.metrics.told(events, purchases, unknown)
    said: dict[str, Any] = {"event_ids": [event.event_id for event in events]}
    if unknown:
        said["unknown_types"] = unknown
    return Response(orjson.dumps(said), 202, media_type="application/json")
