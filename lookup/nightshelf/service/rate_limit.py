"""What one caller may send: how much at once, and how often."""

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
    """Return the addresses that count as one caller: of IPv6 a /64, which is what one is given.

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


class Rate:
    """So many requests a second of each caller; all callers' seconds begin together.

    What is kept is bounded by the requests of one second, whoever makes up addresses.
    """

    def __init__(self, per_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._clock = clock
        self._counts: Counter[object] = Counter()
        self._second = 0

    def admits(self, caller: object) -> bool:
        """Count a request, and tell whether it is among those that the caller may make."""
        second = math.floor(self._clock())
        if second != self._second:
            self._second = second
            self._counts.clear()
        self._counts[caller] += 1
        return self._counts[caller] <= self._per_s


class Gate:
    """Notes who calls (``holder`` and ``caller`` in the state), and turns away what is too much.

    Callers are told apart by key; those without a valid one by address, lest keys that are made up
    have a limit each. Probes of the service's health always pass.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self._app = app
        self._bounded = RequestBodyLimitMiddleware(app, settings.max_body_bytes)
        self._settings = settings
        self._keyring = Keyring(settings.keys)
        self._rate = Rate(settings.max_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        holder = self._keyring.holder(headers.get(b"authorization"))
        scope["state"]["holder"] = holder
        app = self._bounded if b"transfer-encoding" in headers else self._app
        problem = self._against(scope, holder, int(headers.get(b"content-length", 0)))
        if problem:
            app = problem.response(scope)
        await app(scope, receive, send)

    def _against(self, scope: Scope, holder: Holder, n_bytes: int) -> Problem | None:
        """Return what speaks against a request, `None` where nothing does."""
        settings, client = self._settings, scope["client"]
        if n_bytes > settings.max_body_bytes:
            return Problem(
                413,
                f"A request may have {settings.max_body_bytes} bytes at most.",
                headers={"Connection": "close"},  # the rest of it is not read
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
