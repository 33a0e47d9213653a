"""Problem documents for all errors (RFC 9457, ``application/problem+json``).

They are of type ``about:blank`` with the status' phrase as title, unless given otherwise. To the
standard's members they add ``request_id`` and, for an invalid request, ``errors`` with places and
messages.
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
#: Tags of a union of one value and a list, left out of the places of errors.
ONE, MANY = "<one>", "<many>"
#: Patterns in OpenAPI, and the messages for texts that do not match.
TEXT_PATTERN = r"^[^\x00]+$"
SEGMENT_PATTERN = r"^(all|trending|new|(category|segment):[^\x00]+)$"
EVENT_ID_PATTERN = r"^[A-Za-z0-9._~:-]{1,128}$"
_PATTERNS = {
    TEXT_PATTERN: "must not be empty, nor hold a NUL",
    SEGMENT_PATTERN: "no such segment: all, trending, new, category:<name> or segment:<name>",
    EVENT_ID_PATTERN: "1 to 128 of A-Z, a-z, 0-9 and . _ ~ : -",
}


class Problem(Exception):  # noqa: N818 - the standard's word
    """An error that is answered with a problem document."""

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
        """Return the response to the request of this scope."""
        document = self.document(scope["state"]["request_id"])
        return Response(document, self.status, self.headers, MEDIA_TYPE)

    def document(self, request_id: str) -> bytes:
        """Return the document for a request."""
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
    """One error in a request, and its place."""

    at: str
    message: str


class ProblemDocument(BaseModel):
    """Problem document (RFC 9457)."""

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
    """Return the OpenAPI responses of a route's errors."""
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
    """Register handlers that answer errors of routes and framework with problem documents."""

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
        errors = [_error_of(error) for error in raised.errors()]
        detail = "The request was not understood; `errors` says where."
        return Problem(422, detail, errors=errors).response(request.scope)


def _error_of(error: Mapping[str, Any]) -> dict[str, str]:
    """Return the place and message of a validation error."""
    place = [str(part) for part in error["loc"] if part not in (ONE, MANY)]
    message = str(error["msg"])
    if error["type"] == "string_pattern_mismatch":
        message = _PATTERNS.get(error.get("ctx", {}).get("pattern", ""), message)
    elif error["type"] in ("model_type", "model_attributes_type", "dict_type"):
        message = "Input should be a JSON object"
    return {"at": ".".join(place), "message": message.removeprefix("Value error, ")}
