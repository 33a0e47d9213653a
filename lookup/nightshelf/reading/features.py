"""Feature rows, and the state of the shelf."""

from collections.abc import Iterable
from typing import Any

from nightshelf.answers import Status, age_s
from nightshelf.contract import in_canary
from nightshelf.errors import CorruptValue
from nightshelf.reading.fetch import ITEM, USER, Kind, fetch
from nightshelf.reading.ladder import named
from nightshelf.reading.look import begin
from nightshelf.reading.mind import Call, Mind
from nightshelf.reading.talk import Talk, Unanswered
from nightshelf.values import Manifest

Rows = dict[str, dict[str, Any]]


def of_items(mind: Mind, ids: Iterable[str]) -> Talk[Rows]:
    """Return the feature rows of items by id, leaving out those that Redis does not give.

    A row as of the refresh, while there is one, is preferred to the night's: so for users too.
    """
    call = yield from begin(mind)
    live = call.seen.live
    if live is None:
        return {}
    nights = named(ids, lambda item: mind.keys.item(live.generation, item))
    return (yield from _freshest(mind, call, nights, named(nights, mind.keys.fresh_item), ITEM))


def of_users(mind: Mind, users: Iterable[str]) -> Talk[Rows]:
    """Return the feature rows of users by id, leaving out those that Redis does not give."""
    call = yield from begin(mind)
    live = call.seen.live
    if live is None:
        return {}

    def key(user: str) -> str:
        out = live.canary
        drawn = out and in_canary(user, out.generation, out.share)
        return mind.keys.user(out.generation if out and drawn else live.generation, user)

    nights = named(users, key)
    return (yield from _freshest(mind, call, nights, named(nights, mind.keys.fresh), USER))


def _freshest(
    mind: Mind, call: Call, nights: dict[str, str], fresh: dict[str, str], kind: Kind
) -> Talk[Rows]:
    """Read both rows of each id in one round trip, and return the fresh one where there is one."""
    rows = yield from fetch(mind, call, dict.fromkeys([*fresh.values(), *nights.values()], kind))
    found = {raw: rows.get(fresh[raw], rows.get(key)) for raw, key in nights.items()}
    return {raw: row for raw, row in found.items() if row is not None}


def status(mind: Mind) -> Talk[Status]:
    """Ask Redis afresh what is live; failures are told in `error`, not raised."""
    keys = mind.keys
    replies: list[Any] | Unanswered = yield [
        ("GET", keys.current),
        ("HVALS", keys.generations),
        ("HGET", keys.fence, "pinned"),
        ("SCARD", keys.blocked),
        ("INFO", "server"),
    ]
    if isinstance(replies, Unanswered):
        return Status(reachable=False, error=replies.words)
    *asked, about = replies
    for reply in asked:
        if isinstance(reply, Exception):
            return Status(reachable=False, error=str(reply))
    pointer, manifests, pinned, n_blocked = asked
    try:
        live = Manifest.from_json(pointer) if pointer else None
        known = sorted(map(Manifest.from_json, manifests), key=lambda m: -m.generation)
    except CorruptValue as error:
        return Status(reachable=True, error=str(error))
    out = live.canary.generation if live and live.canary else None
    return Status(
        reachable=True,
        live=live,
        age_s=age_s(live) if live else None,
        states={manifest.generation: manifest.state for manifest in known},
        server=_version(about),
        pinned=int(pinned) if pinned else None,
        canary=next((each for each in known if each.generation == out), None),
        n_blocked=int(n_blocked),
    )


def _version(about: Any) -> str | None:
    r"""Name the server and its version; `None` where this login may not ask.

    >>> _version(b"# Server\r\nredis_version:7.0.15\r\n")
    'redis 7.0.15'
    """
    if isinstance(about, Exception):
        return None
    text = about if isinstance(about, str) else about.decode(errors="replace")
    facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    name = facts.get("server_name", "redis")
    return f"{name} {facts.get(f'{name}_version', facts.get('redis_version', '?'))}"
