"""Route of the overview."""

from fastapi import Request
from starlette.responses import Response

from nightshelf.service.console.history import FIGURES
from nightshelf.service.console.overview import WATCH_LATE_S, overview
from nightshelf.service.console.pages import reading, render
from nightshelf.service.console.state import console_of
from nightshelf.service.console.traffic import traffic
from nightshelf.service.dependencies import state_of

router = reading()


@router.get("/")
def show_overview(request: Request) -> Response:
    """Show what is live, whether it is good, what is wrong, and what to do next."""
    console, service = console_of(request), state_of(request)
    max_events = service.settings.max_events
    facts = overview(console.client, console.namespace, console.runs, max_events)
    served = traffic(service.metrics, service.shelf.counters())
    return render(
        request,
        "overview.html",
        facts=facts,
        served=served,
        since=console.since,
        max_events=max_events,
        figures=FIGURES,
        watch_late_s=WATCH_LATE_S,
    )
