"""Events that are not recorded: a caller's share is used up, the stream is full, or Redis fails."""

from collections.abc import Sequence

from fastapi import Request

from nightshelf.client.event import Event
from nightshelf.service.dependencies import state_of
from nightshelf.service.problems import Problem

#: A breaker that has opened lets the next one through before that.
_RETRY_AFTER_S = 1
#: Events are collected every minute.
_COLLECTED_IN_S = 10


async def within_share(request: Request, n: int) -> None:
    """Turn away a caller of whose events as many wait to be collected as of one may."""
    state, caller = state_of(request), request.scope["state"]["caller"]
    if state.shares.may_add(caller, n):
        return
    state.shares.waiting(await state.shelf.n_waiting() or 0)
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
    """Count events that Redis did not take, all or part of them; return what to answer."""
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
