"""Status of a namespace, read from Redis in one round trip."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from nightshelf.client.core.failures import failure
from nightshelf.client.core.protocol import Exchange, NoReply
from nightshelf.client.core.state import ClientState
from nightshelf.client.results import Status
from nightshelf.contract.values import Manifest, instant
from nightshelf.errors import CorruptValue


def read_status(state: ClientState) -> Exchange[Status]:
    """Ask Redis what is live; failures are returned in `error`, not raised."""
    keys = state.keys
    replies: list[Any] | NoReply = yield [
        ("GET", keys.current),
        ("HVALS", keys.generations),
        ("HGET", keys.fence, "pinned"),
        ("SCARD", keys.blocked),
        ("TIME",),
        ("INFO", "server"),
    ]
    if isinstance(replies, NoReply):
        return Status(reachable=False, error=replies.message)
    *values, time, about = replies
    for reply in values:
        if isinstance(reply, Exception):
            return Status(reachable=False, error=str(failure(reply)))
    pointer, manifests, pinned, n_blocked = values
    try:
        live = Manifest.from_json(pointer) if pointer else None
        known = sorted(map(Manifest.from_json, manifests), key=lambda m: -m.generation)
    except CorruptValue as error:
        return Status(reachable=True, error=str(error))
    out = live.canary.generation if live and live.canary else None
    now = datetime.now(UTC) if isinstance(time, Exception) else _at(time)
    return Status(
        reachable=True,
        live=live,
        age_s=_since(live.published_at, now) if live else None,
        made_age_s=_since(live.staged_at or live.published_at, now) if live else None,
        states={manifest.generation: manifest.state for manifest in known},
        server=_version(about),
        pinned=int(pinned) if pinned else None,
        canary=next((each for each in known if each.generation == out), None),
        n_blocked=int(n_blocked),
    )


def _at(time: Sequence[bytes]) -> datetime:
    """Return the time of a reply of TIME: seconds and microseconds."""
    seconds, microseconds = map(int, time)
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)


def _since(text: str, now: datetime) -> float | None:
    """Return the age of a manifest's time in seconds, at least 0; `None` where it has none."""
    at = instant(text)
    return None if at is None else max(0.0, (now - at).total_seconds())


def _version(about: Any) -> str | None:
    r"""Return the server's name and version; `None` where the login may not read it.

    >>> _version(b"# Server\r\nredis_version:7.0.15\r\n")
    'redis 7.0.15'
    """
    if isinstance(about, Exception):
        return None
    text = about if isinstance(about, str) else about.decode(errors="replace")
    facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    name = facts.get("server_name", "redis")
    return f"{name} {facts.get(f'{name}_version', facts.get('redis_version', '?'))}"
