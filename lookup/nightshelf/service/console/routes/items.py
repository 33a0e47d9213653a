"""Routes of the inspector of items: search, an item, its users, block and unblock."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response

from nightshelf.admin import blocklist
from nightshelf.admin.namespace_state import read_state
from nightshelf.service.console import catalogue
from nightshelf.service.console.auditing import note
from nightshelf.service.console.item_facts import read_item
from nightshelf.service.console.pages import ACTS, go_to, reading, render
from nightshelf.service.console.state import console_of
from nightshelf.service.problems import Problem

#: Actions on an item: what they do, and say.
_ACTIONS: Mapping[str, tuple[Callable[..., int], str]] = {
    "block": (blocklist.block, "{} goes off every list, fallback and similar list."),
    "unblock": (blocklist.unblock, "{} may be shown again."),
}

router = reading()


@router.get("/items")
def items(request: Request, q: str = "") -> Response:
    """Find items by id or by a part of the title."""
    console, asked = console_of(request), q.strip()
    facts: dict[str, Any] = {"asked": asked, "hits": (), "missing": "", "generation": None}
    if asked:
        found = read_item(console.client, console.namespace, q)
        if found.known:
            return go_to(request, f"item?id={quote(q)}")
        if found.live:
            facts["generation"] = found.live.generation
            file = catalogue.catalogue_of(console.runs, found.live.generation)
            facts["missing"] = "" if file else _without(found.live.generation)
            facts["hits"] = catalogue.search(file, asked) if file else ()
    return render(request, "items.html", most=catalogue.HITS, **facts)


@router.get("/item")
def item(request: Request, id: str = "") -> Response:
    """Show an item."""
    console = console_of(request)
    if not id:
        return render(request, "inspect.html")
    facts, row, without = read_item(console.client, console.namespace, id), None, ""
    if facts.live:
        file = catalogue.catalogue_of(console.runs, facts.live.generation)
        row = catalogue.one(file, id) if file else None
        without = _without(facts.live.generation) if not file else ""
    return render(request, "item.html", facts=facts, row=row, without=without)


@router.get("/item-users")
def item_users(request: Request, id: str) -> Response:
    """Show some users whose list has an item: a page's lazy part, or a page of its own."""
    console = console_of(request)
    live = read_state(console.client, console.namespace).live
    generation = live.generation if live else None
    file = catalogue.lists_of(console.runs, generation) if generation else None
    return render(
        request,
        "item_users.html",
        is_part="HX-Request" in request.headers,
        item=id,
        users=catalogue.users_with(file, id) if file else None,
        generation=generation,
    )


@router.get("/block", dependencies=ACTS)
def ask_block(request: Request, id: str, action: str = "block") -> Response:
    """Ask whether to block or unblock an item."""
    return _block_page(request, id, action)


@router.post("/block", dependencies=ACTS)
def block(request: Request, id: str, action: str = "block") -> Response:
    """Block or unblock an item, and write it to the audit.

    The id is in the query, as browsers change line breaks in a form's fields.
    """
    console = console_of(request)
    act, says = _action(action)
    n_changed = act(console.client, console.namespace, [id])
    outcome = "done" if n_changed else "it was so already"
    unwritten = note(request, action, f"item {id}", outcome)
    done = f"{says.format(id)} ({outcome})"
    return _block_page(request, id, action, outcome=done, unwritten=unwritten)


def _block_page(
    request: Request, id: str, action: str, outcome: str = "", unwritten: tuple[str, ...] = ()
) -> Response:
    console = console_of(request)
    _, says = _action(action)
    facts = read_item(console.client, console.namespace, id)
    says = says.format(facts.named.title or id)
    about: dict[str, Any] = {"says": says, "outcome": outcome, "unwritten": unwritten}
    return render(request, "block.html", facts=facts, action=action, **about)


def _action(name: str) -> tuple[Callable[..., int], str]:
    if name not in _ACTIONS:
        raise Problem(404, f"There is no action {name[:40]!r} on an item.")
    return _ACTIONS[name]


def _without(generation: int) -> str:
    return (
        f"The run of generation {generation} has left no catalogue.parquet here, so titles cannot "
        "be searched, and exposure is not known: the next night writes it."
    )
