"""Refusals of events: a caller's share is used up, the stream is full, or Redis fails."""

from collections.abc import Sequence

from fastapi import Request

from nightshelf.client.event import Event
from nightshelf.service.dependencies import state_of
from nightshelf.service.problems import Problem

#: An open breaker admits a probe before that.
_RETRY_AFTER_S = 1
#: Events are collected every minute.
_COLLECTED_IN_S = 10


async def within_share(request: Request, n: int) -> None:
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


def not_recorded(request: Request, events: Sequence[Event], cause: str) -> Problem:
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
