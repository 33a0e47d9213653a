"""Keys of the service: made once, kept in files that only their owner can read."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

_NAMES = ("admin", "app", "console-secret")


@dataclass(frozen=True)
class ServiceKeys:
    """A person's key (`admin`), an app's (`app`), and the secret that signs sessions."""

    admin: str = field(repr=False)
    app: str = field(repr=False)
    console_secret: str = field(repr=False)

    @property
    def setting(self) -> str:
        """Value of NIGHTSHELF_SERVICE_KEYS: digests and scopes."""
        scopes = {self.admin: ("admin", ["read", "admin"]), self.app: ("app", ["read", "track"])}
        return json.dumps(
            {
                name: {"sha256": hashlib.sha256(key.encode()).hexdigest(), "scopes": granted}
                for key, (name, granted) in scopes.items()
            }
        )


def service_keys(folder: Path) -> ServiceKeys:
    """Return the keys of a system's folder, made where there are none."""
    found = []
    for name in _NAMES:
        path = key_file(folder, name)
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(32) + "\n")
        found.append(path.read_text().strip())
    return ServiceKeys(*found)


def key_file(folder: Path, name: str) -> Path:
    """Return the file of a key."""
    return folder / "keys" / name
