"""Every error as a problem document (RFC 9457, ``application/problem+json``).

All are of type ``about:blank`` with the status' own phrase as title, unless the type says more. To
the standard's members they add ``request_id`` and, where a request was not understood, ``errors``:
what is wrong at which place of it.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from nightshelf.errors import InvalidCursor, InvalidKey

MEDIA_TYPE = "application/problem+json"
_BLANK = "about:blank"
_SCHEMAS = "#/components/schemas/"
#: Tags of what may be one thing or a list, which are no part of the place of an error.
ONE, MANY = "<one>", "<many>"
#: Patterns of the document, and what to say of a text that is not like them.
TEXT_PATTERN = r"^[^\x00]+$"
SEGMENT_PATTERN = r"^(all|trending|new|(category|segment):[^\x00]+)$"
EVENT_ID_PATTERN = r"^[A-Za-z0-9._~:-]{1,128}$"
_PATTERNS = {
    TEXT_PATTERN: "must not be empty, nor hold a NUL",
    SEGMENT_PATTERN: "no such segment: all, trending, new, category:<name> or segment:<name>",
    EVENT_ID_PATTERN: "1 to 128 of A-Z, a-z, 0-9 and . _ ~ : -",
}


class Problem(Exception):  # noqa: N818 - the standard's word
    """Raised anywhere on the way of a request to answer it with this; see the module."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        title: str | None = None,
        type: str = _BLANK,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.title = title or HTTPStatus(status).phrase
        self.type = type
        self.headers = headers
        self.errors = errors

    def response(self, scope: Scope) -> Response:
        """Return the document that answers the request of this scope."""
        document = self.document(scope["state"]["request_id"])
        return Response(document, self.status, self.headers, MEDIA_TYPE)

    def document(self, request_id: str) -> bytes:
        """Return the document that answers a request."""
        document: dict[str, Any] = {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
        }
        if self.errors:
            document["errors"] = self.errors
        return orjson.dumps(document)


class Error(BaseModel):
    """One thing that is wrong with a request, and where."""

    at: str
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(
        title="Problem",
        json_schema_extra={
            "examples": [
                {
                    "type": _BLANK,
                    "title": "Unprocessable Entity",
                    "status": 422,
                    "detail": "The request was not understood; `errors` says where.",
                    "request_id": "5f0c6a1e",
                    "errors": [{"at": "body.n", "message": "Input should be a valid integer"}],
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[Error] = []


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of a route's errors."""
    content = {MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMAS}Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }


def schemas() -> dict[str, Any]:
    """Return the schemas that `documented` refers to, by name."""
    schema = ProblemDocument.model_json_schema(ref_template=_SCHEMAS + "{model}")
    return {**schema.pop("$defs"), "Problem": schema}


def handle(app: FastAPI) -> None:
    """Answer all that a route or the framework raises on purpose with a problem document."""

    @app.exception_handler(Problem)
    async def problem(request: Request, raised: Problem) -> Response:
        return raised.response(request.scope)

    @app.exception_handler(InvalidKey)
    @app.exception_handler(InvalidCursor)
    async def invalid(request: Request, raised: Exception) -> Response:
        return Problem(422, str(raised)).response(request.scope)

    @app.exception_handler(HTTPException)
    async def by_status(request: Request, raised: HTTPException) -> Response:
        headers = dict(raised.headers or {})
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"
        known = Problem(raised.status_code, raised.detail, headers=headers)
        return known.response(request.scope)

    @app.exception_handler(RequestValidationError)
    async def not_understood(request: Request, raised: RequestValidationError) -> Response:
        errors = [_told(error) for error in raised.errors()]
        detail = "The request was not understood; `errors` says where."
        return Problem(422, detail, errors=errors).response(request.scope)


def _told(error: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong at which place of a request, in words for whoever sent it."""
    place = [str(part) for part in error["loc"] if part not in (ONE, MANY)]
    message = str(error["msg"])
    if error["type"] == "string_pattern_mismatch":
        message = _PATTERNS.get(error.get("ctx", {}).get("pattern", ""), message)
    elif error["type"] in ("model_type", "model_attributes_type", "dict_type"):
        message = "Input should be a JSON object"
    return {"at": ".".join(place), "message": message.removeprefix("Value error, ")}
