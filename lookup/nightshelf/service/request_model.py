"""Request model of a GET: path and query in one model, validated at once.

FastAPI validates parameter by parameter, which takes longer than a cached read
(docs/decisions/0020-service.md). The model also documents the parameters in OpenAPI.
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.responses import Response
from starlette.types import Scope

from nightshelf.service.problems import Problem

M = TypeVar("M", bound=BaseModel)


class _Id(PathConvertor):
    """A path parameter that may hold slashes and line ends (`path` stops at a line end)."""

    regex = "(?s:.*)"


#: In routes: ``{user_id:id}``.
register_url_convertor("id", _Id())


class Direct(APIRoute):
    """A route that is documented by FastAPI, and called with the request alone.

    Its dependencies are called first, also before a body is read.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of requests."""
        guards = [each.dependency for each in self.dependencies if each.dependency]
        has_body = self.body_field is not None
        answer = super().get_route_handler() if has_body else self.endpoint

        async def guarded(request: Request) -> Response:
            for guard in guards:
                await guard(request)
            if has_body:
                _check_type(request)
            response: Response = await answer(request)
            return response

        return guarded


def _check_type(request: Request) -> None:
    """Refuse a body that is not declared as JSON, as ``curl -d`` sends it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise Problem(415, "Send JSON, with the header 'Content-Type: application/json'.")


def parse(request: Request, model: type[M]) -> M:
    """Parse path and query into a model; the path wins over the query."""
    scope = request.scope
    _check_slashes(scope)
    if b"%" in scope["raw_path"] + scope["query_string"]:
        _check_encoding(scope)
    given = scope["path_params"]
    if scope["query_string"]:
        given = {**request.query_params, **given}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def _check_slashes(scope: Scope) -> None:
    """Refuse an id with a final or double slash: ``u8/`` would be another user than ``u8``."""
    raw = scope["raw_path"].removeprefix(scope.get("root_path", "").encode())
    more = raw.count(b"/") > scope["route"].path_format.count("/")
    if more and (raw.endswith(b"/") or b"//" in raw):
        raise Problem(404, "There is no such path; a slash that belongs to an id is written %2F.")


def _check_encoding(scope: Scope) -> None:
    """Refuse invalid UTF-8, which servers decode to one and the same id."""
    try:
        unquote_to_bytes(scope["raw_path"] + scope["query_string"]).decode()
    except UnicodeDecodeError:
        raise Problem(400, "The path or the query is not UTF-8 once decoded.") from None


def parameters(model: type[BaseModel], in_path: str) -> dict[str, Any]:
    """Return the OpenAPI parameters of a model: `in_path` and those of the query.

    >>> class Cut(BaseModel):
    ...     segment: str
    ...     n: int = 10
    >>> [(each["name"], each["in"]) for each in parameters(Cut, "segment")["parameters"]]
    [('segment', 'path'), ('n', 'query')]
    """
    schema = model.model_json_schema()
    return {
        "parameters": [
            {
                "name": name,
                "in": "path" if name == in_path else "query",
                "required": name in schema.get("required", ()),
                "schema": field,
            }
            for name, field in schema["properties"].items()
        ]
    }
