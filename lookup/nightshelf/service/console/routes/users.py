"""Routes of the inspector of users, and the trace of a list."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from nightshelf.contract.keys import decode_id
from nightshelf.service.console import pipeline
from nightshelf.service.console.item_facts import everyones_masks, item_names
from nightshelf.service.console.pages import reading, render
from nightshelf.service.console.state import console_of
from nightshelf.service.console.user_facts import read_user
from nightshelf.service.problems import Problem

#: Places of a list that a page shows.
PLACES = (10, 50)

router = reading()


@router.get("/users")
def user(
    request: Request, id: str = "", n: Annotated[int, Query(ge=1, le=1_000)] = PLACES[0]
) -> Response:
    """Ask for a user or an item, or show a user."""
    console = console_of(request)
    if not id:
        return render(request, "inspect.html")
    facts = read_user(console.client, console.namespace, id, n)
    return render(request, "user.html", facts=facts, n=n, places=PLACES)


@router.get("/trace")
def trace(request: Request, id: str = "", encoded: str = "", item: str = "") -> Response:
    """Show how the night made a user's list, or what became of an item.

    Reads the run's files; a page's lazy part, or a page of its own. A form sends the id `encoded`,
    as browsers change line breaks in its fields.
    """
    console = console_of(request)
    id = id or _decoded(encoded)
    if not id:
        raise Problem(422, "A trace is of a user: give an id.")
    runs = console.settings.runs_dir
    found = pipeline.trace(console.client, console.namespace, runs, id, item or None)
    named = {
        each["item_id"]
        for part in ("steps", "because", "rivals")
        for each in found.get(part, ())
        if each["item_id"] is not None
    }
    names = item_names(console.client, console.namespace, sorted({*named, item} - {""}))
    return render(
        request,
        "trace.html",
        trace=found,
        user=id,
        item=item,
        names=names,
        marks=everyones_masks(console.client, console.namespace).of(item),
        is_part="HX-Request" in request.headers,
    )


def _decoded(encoded: str) -> str:
    try:
        return decode_id(encoded)
    except ValueError:  # bytes that are no UTF-8
        return ""
