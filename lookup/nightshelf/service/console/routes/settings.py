"""Routes of the settings in force, and of the doctor."""

import time
from threading import Lock
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from nightshelf.admin.namespace_state import read_state, server_time
from nightshelf.client.transport.connection import address
from nightshelf.doctor.examine import examine
from nightshelf.doctor.health import HOUR_S
from nightshelf.service.console import pipeline
from nightshelf.service.console.pages import reading, render
from nightshelf.service.console.settings_facts import night_settings, service_settings
from nightshelf.service.console.state import console_of
from nightshelf.service.problems import Problem

#: One look at a server at a time: it samples keys.
_looking = Lock()

router = reading()


@router.get("/settings")
def settings(request: Request) -> Response:
    """Show the settings of the live generation's night, and those of this service."""
    console = console_of(request)
    live = read_state(console.client, console.namespace).live
    return render(
        request,
        "settings.html",
        live=live,
        night=night_settings(live, console.runs, pipeline.defaults()),
        service=service_settings(console.settings),
        since=console.since,
    )


@router.get("/doctor")
def doctor(
    request: Request,
    every_h: Annotated[int, Query(ge=1, le=10_000)] = 24,
    run: bool = False,
) -> Response:
    """Ask whether to look, or look at the namespace and its server, and say what to do."""
    console, findings, now, seconds = console_of(request), {}, None, 0.0
    if run:
        if not _looking.acquire(blocking=False):
            raise Problem(503, "The doctor is at work for somebody else; ask again in a moment.")
        try:
            began = time.perf_counter()
            findings = examine(console.client, console.namespace, every_h * HOUR_S)
            seconds = time.perf_counter() - began
            now = server_time(console.client) if findings["clock"].outcome != "unknown" else None
        finally:
            _looking.release()
    return render(
        request,
        "doctor.html",
        findings=findings,
        every_h=every_h,
        address=address(console.client),
        now=now,
        seconds=seconds,
    )
