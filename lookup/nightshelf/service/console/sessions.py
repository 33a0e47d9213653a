"""Sessions of people: a signed cookie with a key's name, and a token for each form.

The signature covers the digest of the key, so a key that is replaced or taken from the settings
ends its sessions.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_hex

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import SecretStr

from nightshelf.service.settings import ApiKey

COOKIE = "nightshelf_console"
LIFE_S = 12 * 3600


@dataclass(frozen=True)
class Session:
    """A session: the name of the key that it was opened with, if any, and the cookie's value."""

    name: str | None
    cookie: str


class Sessions:
    """The sessions of one secret; a random one where none is set."""

    def __init__(self, keys: Mapping[str, ApiKey], secret: SecretStr | None) -> None:
        self._keys = keys
        self._secret = secret.get_secret_value() if secret else token_hex(32)

    def open(self, name: str | None = None) -> Session:
        """Return a new session of a key, or of a person who has not logged in."""
        return Session(name, str(self._signer(name).dumps([name, token_hex(8)])))

    def read(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie; `None` for one forged, too old, or of a key now gone."""
        if not cookie:
            return None
        try:
            _, claimed = self._signer(None).loads_unsafe(cookie)
            name = claimed[0] if isinstance(claimed, list) and claimed else None
            if name is not None and name not in self._keys:
                return None
            self._signer(name).loads(cookie, max_age=LIFE_S)
        except (BadData, TypeError, ValueError):
            return None
        return Session(name, cookie)

    def token(self, session: Session) -> str:
        """Return the CSRF token of a session's forms."""
        return hmac.new(
            self._secret.encode(), b"csrf " + session.cookie.encode(), sha256
        ).hexdigest()

    def accepts(self, session: Session, token: str) -> bool:
        """Tell in constant time whether a form's token is that of the session."""
        return hmac.compare_digest(self.token(session).encode(), token.encode())

    def _signer(self, name: str | None) -> URLSafeTimedSerializer:
        digest = self._keys[name].sha256 if name is not None else ""
        return URLSafeTimedSerializer(self._secret, salt=f"nightshelf console {digest}")
