"""Access log: a line of JSON for each request and fault, without ids, addresses, queries or bodies.

A request is named by its route (``/users/{user_id}/features``), not by its path; a fault by its
type and place, as an error's message may quote the request.
"""

import logging
import re
import sys
import time
import traceback
from itertools import count
from secrets import token_hex
from typing import Any

import orjson
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict, Processor

from nightshelf.service.metrics import Metrics
from nightshelf.service.problems import Problem

_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_OTHER = "other"
#: New ids: a random name of the process, and a number.
_PROCESS, _NUMBERS = token_hex(8), count(1)
_STAMPS: tuple[Processor, ...] = (
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def logger() -> Any:
    """Return a logger of JSON lines to stdout, independent of structlog's global configuration."""
    return structlog.wrap_logger(
        structlog.BytesLogger(sys.stdout.buffer),
        processors=[*_STAMPS, structlog.processors.JSONRenderer(serializer=orjson.dumps)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    ).bind()


def server_logs() -> dict[str, Any]:
    """Return the `logging` configuration of the server: the same JSON lines, without tracebacks.

    A traceback may quote a request; the access log names the place of a fault.
    """
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _STAMPS,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _without_traceback,
            structlog.processors.JSONRenderer(),
        ],
    }
    handler = {
        "class": "logging.StreamHandler",
        "stream": "ext://sys.stdout",
        "formatter": "json",
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {"json": handler},
        "root": {"handlers": ["json"], "level": "INFO"},
    }


def _without_traceback(_: Any, __: str, event: EventDict) -> EventDict:
    event.pop("exc_info", None)
    return event


class AccessLog:
    """Middleware that identifies, times, counts and logs requests, and answers uncaught errors.

    HEAD is answered as GET without a body. The request's id is a valid ``X-Request-ID`` of the
    caller, or a new one; it is in ``scope["state"]["request_id"]`` and in the response. Routes
    store ``model`` and ``source`` of a result there, for the metrics; pages for people store
    ``as_page``, which shows a problem as such a page.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, log: Any) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and log its outcome."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id.decode()
        status = 0
        if heads := scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}

        async def answer(message: Message) -> None:
            nonlocal status
            if heads and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            self._fault(scope, error)
            if status:  # half a response is sent: only a broken connection shows that
                raise
            problem = Problem(500, "A fault of the service; its log has more under request_id.")
            as_page = scope["state"].get("as_page", Problem.response)
            await as_page(problem, scope)(scope, receive, answer)
        finally:
            self._log_request(scope, status, time.perf_counter() - began, heads=heads)

    def _log_request(self, scope: Scope, status: int, seconds: float, *, heads: bool) -> None:
        state, route = scope["state"], scope.get("route")
        endpoint = route.path_format if route else _OTHER
        model, source = state.get("model"), state.get("source")
        self._metrics.served(endpoint, status, seconds, model=model, source=source)
        holder = state.get("holder")
        self._log.info(
            "request",
            request_id=state["request_id"],
            method="HEAD" if heads else scope["method"],
            endpoint=endpoint,
            status=status,
            ms=round(1_000 * seconds, 3),
            source=source,
            key=holder.name if holder else None,
        )

    def _fault(self, scope: Scope, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        self._log.error(
            "fault",
            request_id=scope["state"]["request_id"],
            error=type(error).__qualname__,
            at=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        )


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            given: bytes = value
            return given
    return new_request_id().encode()


def new_request_id() -> str:
    """Return an id that no other request has."""
    return f"{_PROCESS}-{next(_NUMBERS):x}"
