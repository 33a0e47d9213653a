"""API keys and their scopes (``Authorization: Bearer <key>``, RFC 6750).

The settings hold only a key's SHA-256. Keys are long random texts, so a fast hash is safe.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple, get_args

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from nightshelf.service.problems import Problem
from nightshelf.service.settings import ApiKey, Scope


class Holder(NamedTuple):
    """The holder of a key: its name in the settings, `None` without one, and its scopes."""

    name: str | None
    scopes: frozenset[Scope]


_ANYONE = Holder(None, frozenset(get_args(Scope)))
_NOBODY = Holder(None, frozenset())


class Keyring:
    """The keys of the service; without any it is open to anyone."""

    def __init__(self, keys: Mapping[str, ApiKey]) -> None:
        self._holders = [
            (bytes.fromhex(key.sha256), Holder(name, key.scopes)) for name, key in keys.items()
        ]

    def holder(self, authorization: bytes | None) -> Holder:
        """Return the holder of a header ``Authorization``, in constant time."""
        if not self._holders:
            return _ANYONE
        scheme, _, token = (authorization or b"").partition(b" ")
        if scheme.lower() != b"bearer":
            return _NOBODY
        digest, found = sha256(token.strip()).digest(), _NOBODY
        for known, holder in self._holders:
            if hmac.compare_digest(known, digest):
                found = holder
        return found


class Needs(SecurityBase):
    """A dependency that refuses callers without a scope."""

    def __init__(self, scope: Scope) -> None:
        self.model = HTTPBearer(description="An API key; needed where the service has keys.")
        self.scheme_name = "key"
        self.scope = scope

    async def __call__(self, request: Request) -> None:
        """Raise a problem unless the caller's key has the scope."""
        name, scopes = request.scope["state"]["holder"]
        if self.scope in scopes:
            return
        if name is None:
            raise Problem(
                401,
                "This needs a key: send the header 'Authorization: Bearer <key>'.",
                headers={"WWW-Authenticate": 'Bearer realm="nightshelf"'},
            )
        raise Problem(403, f"This key does not have the scope '{self.scope}'.")


def needs(scope: Scope) -> Needs:
    """Return the dependency of routes that need a scope."""
    return Needs(scope)
