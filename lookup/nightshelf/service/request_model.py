"""What a GET asks, by its path and query: one model of both, checked at once.

FastAPI goes from parameter to parameter, which takes longer than a warm shelf takes to answer
(docs/decisions/0020-service.md); here the model is checked as a whole, and tells OpenAPI the same.
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
    """All of a path up to what the route names next; `path` would stop at the end of a line."""

    regex = "(?s:.*)"


#: Routes call it so: ``{user_id:id}``.
register_url_convertor("id", _Id())


class Direct(APIRoute):
    """A route that FastAPI documents, and that is called with the request and nothing else.

    Its dependencies are called so, too, and first. One that has a body is then as any other: whose
    key does not open it is told so before the body is read.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
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
    """Refuse a body that does not say that it is JSON, as ``curl -d`` sends it by itself."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise Problem(415, "Send JSON, with the header 'Content-Type: application/json'.")


def asked(request: Request, model: type[M]) -> M:
    """Return what is asked; what is in the path wins over what the query calls the same."""
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
    """Refuse a slash at the end of an id, or two: ``u8/`` would be another user than ``u8``."""
    raw = scope["raw_path"].removeprefix(scope.get("root_path", "").encode())
    more = raw.count(b"/") > scope["route"].path_format.count("/")
    if more and (raw.endswith(b"/") or b"//" in raw):
        raise Problem(404, "There is no such path; a slash that belongs to an id is written %2F.")


def _check_encoding(scope: Scope) -> None:
    """Refuse what is no UTF-8: servers would make one and the same id of it all."""
    try:
        unquote_to_bytes(scope["raw_path"] + scope["query_string"]).decode()
    except UnicodeDecodeError:
        raise Problem(400, "The path or the query is not UTF-8 once decoded.") from None


def parameters(model: type[BaseModel], in_path: str) -> dict[str, Any]:
    """Return what OpenAPI says of a model's fields, the one named `in_path` and those of the query.

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
