"""What one caller may send: how much at once, and how often."""

import math
import time

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from nightshelf.service.keys import Holder, Keyring
from nightshelf.service.problems import Problem
from nightshelf.service.settings import ServiceSettings


class Gate:
    """Finds out who calls (``scope["state"]["holder"]``), and turns away what is too much.

    Callers are told apart by key; those without a valid one by address, lest keys that are made up
    have a limit each. Probes of the service's health always pass.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self._app = app
        self._bounded = RequestBodyLimitMiddleware(app, settings.max_body_bytes)
        self._max_bytes = settings.max_body_bytes
        self._keyring = Keyring(settings.keys)
        self._rate = parse(settings.rate)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        holder = self._keyring.holder(headers.get(b"authorization"))
        scope["state"]["holder"] = holder
        app = self._bounded if b"transfer-encoding" in headers else self._app
        try:
            self._check_size(headers.get(b"content-length", b"0"))
            if not scope["path"].startswith("/health/"):
                self._check_rate(scope, holder)
        except Problem as problem:
            app = problem.response(scope)
        await app(scope, receive, send)

    def _check_size(self, length: bytes) -> None:
        if int(length) > self._max_bytes:
            raise Problem(
                413,
                f"A request may have {self._max_bytes} bytes at most.",
                headers={"Connection": "close"},  # the rest of it is not read
            )

    def _check_rate(self, scope: Scope, holder: Holder) -> None:
        client = scope["client"]
        caller = ("key", holder.name) if holder.name else ("from", client[0] if client else "")
        if self._limiter.hit(self._rate, *caller):
            return
        reset_s = self._limiter.get_window_stats(self._rate, *caller).reset_time - time.time()
        raise Problem(
            429,
            f"More requests than {self._rate}; try again later.",
            headers={"Retry-After": str(max(1, math.ceil(reset_s)))},
        )
