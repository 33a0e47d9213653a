"""Routes ``/dashboard``: impressions, clicks and purchases of the collected event log.

Needs the extra ``dashboard`` and the setting ``events_dir``. DuckDB runs in a separate thread, one
query at a time, so reads of lists do not wait (docs/decisions/0019-dashboard.md).
"""

from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import cast

from fastapi import APIRouter, Depends, Request

from nightshelf.service.auth import needs
from nightshelf.service.dashboard.connection import TooMuch
from nightshelf.service.dashboard.event_log import Busy, EventLog
from nightshelf.service.dashboard.query import Asked, Row, Unreadable
from nightshelf.service.dependencies import state_of
from nightshelf.service.problems import Problem, documented
from nightshelf.service.schemas.dashboard import (
    Day,
    End,
    Figures,
    Hour,
    Hourly,
    Model,
    Part,
    Start,
    Summary,
)

#: A quarter of a year.
MAX_DAYS = 92

router = APIRouter(
    prefix="/dashboard",
    tags=["dashboard"],
    dependencies=[Depends(needs("admin"))],
    responses=documented(400, 401, 403, 413, 422, 429, 503),
)


@router.get("/summary")
async def summary(request: Request, start: Start, end: End, model: Model = None) -> Summary:
    """Return figures of some days, by model and variant, at most a minute old.

    92 days at most. 503 says in ``Retry-After`` when to ask again.
    """
    asked = Asked(start, end, model)
    if not 1 <= asked.days <= MAX_DAYS:
        raise Problem(422, f"start to end must be 1 to {MAX_DAYS} days, not {asked.days}")
    total, rows = await _figures(request, asked)
    return Summary(
        start=start, end=end, model=model, total=total, parts=[Part(**row) for row in rows]
    )


@router.get("/hourly")
async def hourly(request: Request, day: Day, model: Model = None) -> Hourly:
    """Return figures of one day, by hour, at most a minute old; else as the summary."""
    total, rows = await _figures(request, Asked(day, day, model, hourly=True))
    by_hour = {row["hour"]: row for row in rows}
    hours = [Hour(**by_hour.get(hour, {"hour": hour})) for hour in range(24)]
    return Hourly(date=day, model=model, total=total, hours=hours)


async def _figures(request: Request, asked: Asked) -> tuple[Figures, list[Row]]:
    """Return the total and the rows of the parts, or raise a problem."""
    log = _log_of(request)
    if counting := await state_of(request).shelf.counting():
        asked = replace(asked, purchases=tuple(counting.purchases))
    again = {"Retry-After": str(ceil(log.limits.turn_s))}
    try:
        rows = await log.figures(asked)
    except Busy:
        detail = "The dashboard is at work on another question; ask again in a moment."
        raise Problem(503, detail, headers=again) from None
    except TooMuch:
        detail = f"{asked.start} to {asked.end} is too much for one answer; ask for fewer days."
        raise Problem(503, detail, headers=again) from None
    except Unreadable as error:
        detail = f"The event log cannot be read: {error} {error.reason}."
        raise Problem(503, detail, headers=again) from error
    if not rows:
        return Figures(), []
    return Figures(**rows[0]), rows[1:]


def _log_of(request: Request) -> EventLog:
    """Return the app's event log, opened at the first request."""
    state = request.app.state
    if not hasattr(state, "event_log"):
        # Where the setting is empty, the app has no dashboard.
        state.event_log = EventLog(cast("Path", state_of(request).settings.events_dir))
    log: EventLog = state.event_log
    return log
