"""Feature rows, and the state of the shelf."""

from collections.abc import Iterable
from typing import Any

from nightshelf.answers import Status, age_s
from nightshelf.contract import in_canary
from nightshelf.errors import CorruptValue
from nightshelf.reading.fetch import USER, fetch
from nightshelf.reading.ladder import named
from nightshelf.reading.look import begin
from nightshelf.reading.mind import Mind
from nightshelf.reading.results import item_rows
from nightshelf.reading.talk import Talk, Unanswered
from nightshelf.values import Manifest

Rows = dict[str, dict[str, Any]]


def of_items(mind: Mind, ids: Iterable[str]) -> Talk[Rows]:
    """Return the feature rows of items by id, leaving out those that Redis does not give."""
    call = yield from begin(mind)
    if call.seen.live is None:
        return {}
    return (yield from item_rows(mind, call, call.seen.live.generation, ids))


def of_users(mind: Mind, users: Iterable[str]) -> Talk[Rows]:
    """Return the feature rows of users by id, leaving out those that Redis does not give.

    A row as of the refresh, while there is one, is preferred to the night's.
    """
    call = yield from begin(mind)
    live = call.seen.live
    if live is None:
        return {}

    def key(user: str) -> str:
        out = live.canary
        drawn = out and in_canary(user, out.generation, out.share)
        return mind.keys.user(out.generation if out and drawn else live.generation, user)

    nights, fresh = named(users, key), named(users, mind.keys.fresh)
    rows = yield from fetch(mind, call, dict.fromkeys([*fresh.values(), *nights.values()], USER))
    found = {user: rows.get(fresh[user], rows.get(nights[user])) for user in nights}
    return {user: row for user, row in found.items() if row is not None}


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
