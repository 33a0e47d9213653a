"""Routes beside the pages: login, logout, static files, and paths where there is no page."""

from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from nightshelf.service.console.assets import assets
from nightshelf.service.console.pages import (
    PATH,
    PageRoute,
    form_of,
    go_to,
    render,
    visitor_of,
)
from nightshelf.service.console.state import console_of
from nightshelf.service.problems import Problem

_FOR_EVER = "public, max-age=31536000, immutable"

router = APIRouter(prefix=PATH.rstrip("/"), route_class=PageRoute, include_in_schema=False)
#: Served for paths that no other router has.
absent = APIRouter(prefix=PATH.rstrip("/"), route_class=PageRoute, include_in_schema=False)
#: Without a session: a file that browsers keep must set no cookie.
files = APIRouter(prefix=PATH.rstrip("/"), include_in_schema=False)


@files.get("")
def first() -> Response:
    """Go to the first page, so that relative links have one base."""
    return RedirectResponse(PATH.strip("/") + "/", 307)


@files.get("/static/{digest}/{name}")
def static(digest: str, name: str) -> Response:
    """Return a static file, which may be kept for ever under this path."""
    asset = assets().get(name)
    if asset is None or asset.path != f"static/{digest}/{name}":
        raise Problem(404, "There is no such file.")
    headers = {"Cache-Control": _FOR_EVER, "X-Content-Type-Options": "nosniff"}
    return Response(asset.content, headers=headers, media_type=asset.media_type)


@router.get("/login")
def show_login(request: Request, next: str = "") -> Response:
    """Ask for a key."""
    return render(request, "login.html", asked=next, refused="")


@router.post("/login")
def log_in(request: Request) -> Response:
    """Open a session for a key that may read, and go where the person wanted to."""
    form, console = form_of(request), console_of(request)
    asked = form.get("next", "")
    key = form.get("key", "").strip()
    holder = console.keyring.holder(b"Bearer " + key.encode())
    if "read" not in holder.scopes:
        says = "This is no key of the service."
        if holder.name is not None:
            says = "This key does not have the scope 'read', which the console needs."
        return render(request, "login.html", status=403, asked=asked, refused=says)
    session = console.sessions.open(holder.name)
    request.state.visitor = replace(visitor_of(request), holder=holder, session=session)
    request.state.holder = holder  # for the access log
    return go_to(request, asked)


@router.post("/logout")
def log_out(request: Request) -> Response:
    """End the session in this browser."""
    session = console_of(request).sessions.open()
    request.state.visitor = replace(visitor_of(request), session=session)
    return go_to(request, "login")


@absent.get("/{path:path}")
def not_found(path: str) -> Response:
    """Refuse a path without a page."""
    raise Problem(404, "There is no such page.")
