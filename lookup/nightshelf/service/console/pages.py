"""Pages: who may see them, how they are rendered, and refusals that people can read."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from redis.exceptions import RedisError
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, RedirectResponse, Response

from nightshelf.client.core.failures import failure
from nightshelf.errors import NightshelfError
from nightshelf.service.auth import Holder, needs
from nightshelf.service.console.sessions import COOKIE, LIFE_S
from nightshelf.service.console.state import TIMEOUT_S, Visitor, console_of
from nightshelf.service.problems import Problem

PATH = "/console/"
#: Pages of the navigation, by their paths below the console.
NAVIGATION = {
    "": "Overview",
    "generations": "Generations",
    "users": "Users and items",
    "catalogue": "Catalogue",
    "experiments": "Experiments",
    "settings": "Settings",
    "doctor": "Doctor",
}
#: Pages that are reached from one of the navigation, by its path.
_BELOW = {
    **dict.fromkeys(("generation", "diff", "act", "audit"), "generations"),
    **dict.fromkeys(("item", "items", "item-users", "trace", "block"), "users"),
    "experiment-stop": "experiments",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'; object-src 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Answer = Callable[[Request], Coroutine[Any, Any, Response]]


class PageRoute(APIRoute):
    """A route that knows its visitor, checks the tokens of forms, and refuses with a page."""

    def get_route_handler(self) -> Answer:
        """Return the handler of requests."""
        answer = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            visitor = request.state.visitor = _visitor(request)
            request.state.holder = visitor.holder  # for `needs`, and the access log
            request.state.as_page = lambda problem, _: _finished(
                request, _refused(request, problem)
            )
            try:
                if request.method == "POST":
                    await _check_token(request)
                response = await answer(request)
            except Problem as problem:
                response = _refused(request, problem)
            except RequestValidationError as error:
                says = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
                response = _refused(request, Problem(422, says))
            except NightshelfError as error:
                response = _refused(request, Problem(422, str(error)))
            except (RedisError, OSError) as error:
                says = f"Redis cannot be used: {failure(error, TIMEOUT_S)}"
                response = _refused(request, Problem(503, says))
            return _finished(request, response)

        return guarded


def reading() -> APIRouter:
    """Return a router of pages that need the scope ``read``."""
    return APIRouter(
        prefix=PATH.rstrip("/"),
        route_class=PageRoute,
        dependencies=[Depends(needs("read"))],
        include_in_schema=False,
    )


#: Dependencies of a route that changes something.
ACTS = [Depends(needs("admin"))]


def visitor_of(request: Request) -> Visitor:
    """Return the person of a request."""
    visitor: Visitor = request.state.visitor
    return visitor


def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a POST, whose token has been checked; files are left out."""
    form: FormData = request.state.form
    return {name: value for name, value in form.items() if isinstance(value, str)}


def render(request: Request, template: str, *, status: int = 200, **facts: Any) -> Response:
    """Return the page of a template, with `facts` and what ``base.html`` needs."""
    console, visitor = console_of(request), visitor_of(request)
    first = _path(request).partition("/")[0]
    page = console.templates.get_template(template).render(
        base=base_of(request),
        at=_BELOW.get(first, first),
        namespace=console.namespace,
        navigation=console.navigation,
        visitor=visitor,
        is_open=not console.settings.keys,
        csrf=console.sessions.token(visitor.session),
        **facts,
    )
    return HTMLResponse(page, status)


def go_to(request: Request, path: str) -> Response:
    """Return the redirect after a POST, to a path below the console."""
    return RedirectResponse(f"{base_of(request)}{path}", 303)


def base_of(request: Request) -> str:
    """Return the relative link from a request's page to the console's first."""
    return "../" * _raw_path(request).count("/") or "./"


def _raw_path(request: Request) -> str:
    """Return the path below the console, encoded, whether or not a proxy has taken its part off."""
    raw: str = request.scope["raw_path"].decode("ascii", "replace")
    raw = raw.removeprefix(request.scope.get("root_path", ""))
    return raw.partition("?")[0].removeprefix(PATH)


def _path(request: Request) -> str:
    return unquote(_raw_path(request))


def _visitor(request: Request) -> Visitor:
    """Return the person of a request: by the header ``Authorization``, else by the session."""
    console = console_of(request)
    session = console.sessions.read(request.cookies.get(COOKIE))
    holder: Holder = request.state.holder
    if session and session.name is not None and holder.name is None:
        holder = Holder(session.name, console.settings.keys[session.name].scopes)
    return Visitor(holder, session or console.sessions.open())


async def _check_token(request: Request) -> None:
    request.state.form = form = await request.form()
    token = form.get("csrf")
    session = visitor_of(request).session
    if not isinstance(token, str) or not console_of(request).sessions.accepts(session, token):
        raise Problem(
            403,
            "This form has no valid token: nothing was changed. It may be too old, or of another "
            "session; open its page again.",
        )


def _refused(request: Request, problem: Problem) -> Response:
    """Return the page of a refusal; a person who is not logged in goes to the login."""
    if problem.status == 401 and request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        asked = quote(_raw_path(request) + query, safe="")
        return RedirectResponse(f"{base_of(request)}login?next={asked}", 303)
    return render(request, "refusal.html", status=problem.status, problem=problem)


def _finished(request: Request, response: Response) -> Response:
    """Return a response with the headers of all pages, and the cookie of a new session."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    cookie = visitor_of(request).session.cookie
    if request.cookies.get(COOKIE) != cookie:
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=LIFE_S,
            path=request.scope.get("root_path", "") + PATH.rstrip("/"),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
    return response
