"""State of the console: its Redis, the runs' folder, its sessions, its templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from redis import Redis

from nightshelf.client.transport.connection import connect
from nightshelf.service.auth import Holder, Keyring
from nightshelf.service.console import charts, formats
from nightshelf.service.console.assets import assets
from nightshelf.service.console.sessions import Session, Sessions
from nightshelf.service.settings import ServiceSettings

#: Deadline of one exchange with Redis; a person waits longer than a shop's page.
TIMEOUT_S = 2.0


@dataclass(frozen=True)
class ConsoleState:
    """State of one app's console, kept at ``app.state.console``.

    `navigation` has the pages that there are, their paths and names; `since` is when the process
    began, for figures that it counts itself.
    """

    settings: ServiceSettings
    client: Redis
    sessions: Sessions
    keyring: Keyring
    templates: Environment
    navigation: Mapping[str, str]
    since: datetime

    @property
    def namespace(self) -> str:
        """The namespace of all pages."""
        return self.settings.namespace

    @property
    def runs(self) -> Path | None:
        """The folder of this namespace's runs; `None` where the service has none."""
        folder = self.settings.runs_dir
        return folder / self.namespace if folder else None


@dataclass(frozen=True)
class Visitor:
    """The person of a request: the holder of a key, and the session that signs their forms."""

    holder: Holder
    session: Session

    @property
    def name(self) -> str:
        """The name in the audit: of the key, or ``anyone`` where the service has no keys."""
        return self.holder.name or "anyone"

    @property
    def may_act(self) -> bool:
        """Tell whether this person may change anything."""
        return "admin" in self.holder.scopes


def new_state(settings: ServiceSettings, navigation: Mapping[str, str]) -> ConsoleState:
    """Return the state of a new app; `ValueError` for an invalid address of Redis."""
    url = settings.console_redis_url or settings.redis_url
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= formats.FILTERS
    templates.globals |= {
        "asset": {name: each.path for name, each in assets().items()},
        "charts": charts,
    }
    return ConsoleState(
        settings,
        connect(url.get_secret_value(), timeout_s=TIMEOUT_S),
        Sessions(settings.keys, settings.console_secret),
        Keyring(settings.keys),
        templates,
        navigation,
        datetime.now(UTC),
    )


def console_of(request: Request) -> ConsoleState:
    """Return the console's state of a request's app."""
    state: ConsoleState = request.app.state.console
    return state
