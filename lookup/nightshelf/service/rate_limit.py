"""Limits of one caller: bytes of a request, and requests a second."""

import math
import time
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from nightshelf.service.auth import Holder, Keyring
from nightshelf.service.problems import Problem
from nightshelf.service.settings import ServiceSettings


@lru_cache(4096)
def address_group(host: str) -> str:
    """Return the group of addresses that is one caller: of IPv6 a /64, as assigned to a customer.

    >>> address_group("2001:db8::17"), address_group("::ffff:192.0.2.1"), address_group("192.0.2.1")
    ('2001:db8::/64', '192.0.2.1', '192.0.2.1')
    """
    if ":" not in host:
        return host
    try:
        address = IPv6Address(host)
    except ValueError:
        return host
    mapped = address.ipv4_mapped
    return str(mapped or IPv6Network((int(address) >> 64 << 64, 64)))


class RateLimit:
    """Requests a second of each caller, in seconds common to all callers.

    Memory is bounded by the requests of one second, even for invented addresses.
    """

    def __init__(self, per_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._clock = clock
        self._counts: Counter[object] = Counter()
        self._second = 0

    def admits(self, caller: object) -> bool:
        """Count a request, and tell whether it is within the caller's limit."""
        second = math.floor(self._clock())
        if second != self._second:
            self._second = second
            self._counts.clear()
        self._counts[caller] += 1
        return self._counts[caller] <= self._per_s


class CallerLimits:
    """Middleware that identifies callers (``holder`` and ``caller`` in the state) and limits them.

    Callers are identified by key, without a valid one by address, so that invented keys share a
    limit. Health checks always pass.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self._app = app
        self._bounded = RequestBodyLimitMiddleware(app, settings.max_body_bytes)
        self._settings = settings
        self._keyring = Keyring(settings.keys)
        self._rate = RateLimit(settings.max_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        holder = self._keyring.holder(headers.get(b"authorization"))
        scope["state"]["holder"] = holder
        app = self._bounded if b"transfer-encoding" in headers else self._app
        problem = self._refusal(scope, holder, int(headers.get(b"content-length", 0)))
        if problem:
            app = problem.response(scope)
        await app(scope, receive, send)

    def _refusal(self, scope: Scope, holder: Holder, n_bytes: int) -> Problem | None:
        """Return the problem of a request beyond a limit, else `None`."""
        settings, client = self._settings, scope["client"]
        if n_bytes > settings.max_body_bytes:
            return Problem(
                413,
                f"A request may have {settings.max_body_bytes} bytes at most.",
                headers={"Connection": "close"},  # its rest is not read
            )
        if scope["path"].removeprefix(scope.get("root_path", "")).startswith("/health/"):
            return None
        caller = holder.name or (client and (address_group(client[0]),))
        scope["state"]["caller"] = caller
        if self._rate.admits(caller):
            return None
        return Problem(
            429,
            f"More than {settings.max_per_s} requests in a second; try again in the next.",
            headers={"Retry-After": "1"},
        )
