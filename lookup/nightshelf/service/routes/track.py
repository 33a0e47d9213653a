"""Routes ``POST /track/...``: record impressions and actions, with their immediate effects.

Each takes one event or a list. Events with one `event_id` count once, in the metrics (within
minutes) and in the log, so a caller that sets ids and gets no response or a 503 sends all again.
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
from nightshelf.service.problems import Problem, documented
from nightshelf.service.request_model import Direct
from nightshelf.service.schemas.track import Accepted, Action, Click, Conversion, Impression, Some

#: An open breaker admits a probe before that.
_RETRY_AFTER_S = 1
#: Events are collected every minute.
_COLLECTED_IN_S = 10

router = APIRouter(
    prefix="/track",
    route_class=Direct,
    tags=["track"],
    dependencies=[Depends(needs("track"))],
)
_RESPONSES: dict[str, Any] = {
    "status_code": 202,
    "response_class": Response,
    "responses": {202: {"model": Accepted}}
    | documented(400, 401, 403, 404, 413, 415, 422, 429, 503),
}


class _Tracked(Protocol):
    def event(self) -> Event: ...


@router.post("/impression", **_RESPONSES)
async def impression(sent: Some[Impression], request: Request) -> Response:
    """Record that items were shown."""
    return await _recorded(request, _events(sent))


@router.post("/click", **_RESPONSES)
async def click(sent: Some[Click], request: Request) -> Response:
    """Record clicks on items."""
    return await _recorded(request, _events(sent))


@router.post("/conversion", **_RESPONSES)
async def conversion(sent: Some[Conversion], request: Request) -> Response:
    """Record purchases: the items leave the user's lists at once."""
    state = state_of(request)
    purchase = (await _purchases(state))[0]
    conversions = sent if isinstance(sent, Sequence) else [sent]
    return await _acted(request, [each.event(purchase) for each in conversions])


@router.post("/action", **_RESPONSES)
async def action(sent: Some[Action], request: Request) -> Response:
    """Record actions, with the effects that the live generation's settings give their types."""
    return await _acted(request, _events(sent))


def _events(sent: _Tracked | Sequence[_Tracked]) -> list[Event]:
    return [each.event() for each in (sent if isinstance(sent, Sequence) else [sent])]


async def _recorded(request: Request, events: list[Event]) -> Response:
    """Record events without immediate effects, in one round trip."""
    await _check_share(request, len(events))
    receipt = await state_of(request).shelf.record(events)
    return _accepted(request, events, receipt.cause)


async def _purchases(state: State) -> Sequence[str]:
    """Return the event types that are purchases by the live generation's settings."""
    counting = await state.shelf.counting()
    return counting.purchases if counting else (PURCHASE,)


async def _acted(request: Request, events: list[Event]) -> Response:
    """Record actions one by one, up to the first that Redis does not record."""
    await _check_share(request, len(events))
    state, cause, unknown = state_of(request), None, dict[str, None]()
    for event in events:
        details = asdict(event)
        what = [details.pop(name) for name in ("user_id", "event_type", "item_id", "value")]
        receipt = await state.shelf.acted(*what, **details)
        cause, unknown = cause or receipt.cause, unknown | dict.fromkeys(receipt.unknown_types)
        if cause and cause != "full":  # its effects are applied even then
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
        raise _not_recorded(request, events, cause)
    state = state_of(request)
    state.shares.add(request.scope["state"]["caller"], len(events))
    state.metrics.recorded(events, purchases, unknown)
    document: dict[str, Any] = {"event_ids": [event.event_id for event in events]}
    if unknown:
        document["unknown_types"] = unknown
    return Response(orjson.dumps(document), 202, media_type="application/json")


async def _check_share(request: Request, n: int) -> None:
    """Raise a problem where a caller's events would exceed its share of those to be collected."""
    state, caller = state_of(request), request.scope["state"]["caller"]
    if state.shares.may_add(caller, n):
        return
    state.shares.collected(await state.shelf.n_waiting() or 0)
    if state.shares.may_add(caller, n):
        return
    state.metrics.not_recorded("share", n)
    raise Problem(
        429,
        f"Of one caller's events {state.shares.most:,} may wait to be collected, and yours do; "
        "send this again with the same event_id, once the flow `collect` has run.",
        headers={"Retry-After": str(_COLLECTED_IN_S)},
    )


def _not_recorded(request: Request, events: Sequence[Event], cause: str) -> Problem:
    """Count events that Redis did not fully record, and return the problem to answer with."""
    state = state_of(request)
    state.metrics.not_recorded(cause, len(events))
    detail = f"Redis did not take this ({cause}); send it again with the same event_id."
    again_s = _RETRY_AFTER_S
    if cause == "full":
        detail = (
            f"{state.settings.max_events:,} events wait to be collected, and no more are taken "
            "until the flow `collect` has run; send this again with the same event_id."
        )
        again_s = _COLLECTED_IN_S
    return Problem(503, detail, headers={"Retry-After": str(again_s)})
