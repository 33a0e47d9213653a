"""Route of the catalogue: coverage and exposure by category, and the items behind them."""

from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import Response

from nightshelf.admin.namespace_state import read_state
from nightshelf.service.console import catalogue as files
from nightshelf.service.console.item_facts import everyones_masks, item_names
from nightshelf.service.console.pages import reading, render
from nightshelf.service.console.state import console_of
from nightshelf.service.problems import Problem

#: Categories in the chart; the table has all.
_CHARTED = 15

router = reading()


@router.get("/catalogue")
def catalogue(
    request: Request, view: str = "most", start: Annotated[int, Query(ge=0)] = 0
) -> Response:
    """Show what the live generation's lists show of the catalogue."""
    if view not in files.VIEWS:
        raise Problem(404, f"There is no list of items {view[:40]!r}.")
    console = console_of(request)
    live = read_state(console.client, console.namespace).live
    masks = everyones_masks(console.client, console.namespace)
    file = files.catalogue_of(console.runs, live.generation) if live else None
    facts: dict[str, Any] = {"live": live, "masks": masks, "view": view, "views": files.VIEWS}
    if file is None:
        blocked = sorted(masks.blocked)
        names = item_names(console.client, console.namespace, blocked)
        return render(request, "catalogue_absent.html", names=names, blocked=blocked, **facts)
    facts["page"] = files.items(file, view, start, tuple(sorted(masks.blocked)))
    facts["categories"] = found = files.categories(file)
    charted = [each for each in found if each["n_available"]][:_CHARTED]
    shares = {"coverage": "coverage", "places": "share_of_places", "events": "share_of_events"}
    for name, column in shares.items():
        facts[name] = [(each["category"], each[column]) for each in charted]
    return render(request, "catalogue.html", summary=files.summary(file), **facts)
