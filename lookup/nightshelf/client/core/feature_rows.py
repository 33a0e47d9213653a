"""Feature rows, and the state of the shelf."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from nightshelf.client.core.fallback import named
from nightshelf.client.core.merge_recent import Row, recounted, to_item, to_user
from nightshelf.client.core.pointer import begin
from nightshelf.client.core.protocol import Talk, Unanswered
from nightshelf.client.core.read import ITEM, USER, Kind, fetch
from nightshelf.client.core.recent_events import Did, Done, asks_item, asks_user, did, done
from nightshelf.client.core.redis_failures import failure
from nightshelf.client.core.state import Call, Mind
from nightshelf.client.core.stored_list import UNREADABLE
from nightshelf.client.results import Status
from nightshelf.contract.ids import id_text
from nightshelf.contract.keys import in_canary
from nightshelf.contract.values import Manifest, instant
from nightshelf.errors import CorruptValue

Rows = dict[str, Row]
#: The keys of the row since the night, the night's, and what was done lately.
Place = tuple[str, str, str]

LATELY = Kind(did, lambda settings: settings.list_ttl_s, personal=True, asks=asks_user)
LATELY_ITEM = Kind(done, lambda settings: settings.list_ttl_s, asks=asks_item)


def of_items(mind: Mind, ids: Iterable[str]) -> Talk[Rows]:
    """Return the feature rows of items by id, leaving out those that Redis does not give.

    Rows go by the ids as they were given. The refresh's counters, while there are any, are
    preferred to the night's, and what was done since is added to either.
    """
    texts = [(each, id_text(each)) for each in ids]
    call = yield from begin(mind)
    live, keys = call.seen.live, mind.keys
    if live is None:
        return {}
    now = datetime.now(UTC)
    places = named(
        (text for _, text in texts),
        lambda item: (
            keys.fresh_item(item),
            keys.item(live.generation, item),
            keys.lately_item(item),
        ),
    )

    def made(fresh: Row | None, night: Row | None, done: Sequence[Done]) -> Row | None:
        row = recounted(night, fresh)
        return row and to_item(row, done, live.counting, live.as_of, now)

    rows = yield from _made(mind, call, places, ITEM, LATELY_ITEM, made)
    return {each: rows[text] for each, text in texts if text in rows}


def of_users(mind: Mind, users: Iterable[str]) -> Talk[Rows]:
    """Return the feature rows of users by id, leaving out those of whom Redis knows nothing.

    A row as of the refresh, while there is one, is preferred to the night's, and what was done
    since is added to either.
    """
    texts = [(each, id_text(each)) for each in users]
    call = yield from begin(mind)
    live, keys = call.seen.live, mind.keys
    if live is None:
        return {}
    out = live.canary

    def place(user: str) -> Place:
        drawn = out and in_canary(user, out.generation, out.share)
        at = out.generation if out and drawn else live.generation
        return keys.fresh(user), keys.user(at, user), keys.lately(user)

    def made(fresh: Row | None, night: Row | None, did: Sequence[Did]) -> Row | None:
        return to_user(night if fresh is None else fresh, did, live.counting)

    places = named((text for _, text in texts), place)
    rows = yield from _made(mind, call, places, USER, LATELY, made)
    return {each: rows[text] for each, text in texts if text in rows}


def _made(
    mind: Mind,
    call: Call,
    places: Mapping[str, Place],
    kind: Kind,
    lately: Kind,
    made: Callable[[Row | None, Row | None, Sequence[Any]], Row | None],
) -> Talk[Rows]:
    """Read what there is of each id in one round trip, and return the row that is made of it."""
    wanted = {key: kind for fresh, night, _ in places.values() for key in (fresh, night)}
    if call.seen.live and call.seen.live.counting:
        wanted |= {key: lately for _, _, key in places.values()}
    values = yield from fetch(mind, call, wanted)
    rows: Rows = {}
    for raw, (fresh, night, since) in places.items():
        there = values.get(fresh), values.get(night)
        try:
            row = made(*there, values.get(since, ()))
        except UNREADABLE:
            mind.count("corrupt")
            row = made(*there, ())
        if row is not None:
            rows[raw] = row
    return rows


def status(mind: Mind) -> Talk[Status]:
    """Ask Redis afresh what is live; failures are told in `error`, not raised."""
    keys = mind.keys
    replies: list[Any] | Unanswered = yield [
        ("GET", keys.current),
        ("HVALS", keys.generations),
        ("HGET", keys.fence, "pinned"),
        ("SCARD", keys.blocked),
        ("TIME",),
        ("INFO", "server"),
    ]
    if isinstance(replies, Unanswered):
        return Status(reachable=False, error=replies.words)
    *asked, time, about = replies
    for reply in asked:
        if isinstance(reply, Exception):
            return Status(reachable=False, error=str(failure(reply)))
    pointer, manifests, pinned, n_blocked = asked
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
    """Return what the server's TIME tells: seconds and microseconds."""
    seconds, microseconds = map(int, time)
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)


def _since(text: str, now: datetime) -> float | None:
    """Return the seconds since a manifest's time, 0 at least; `None` where it gives none."""
    at = instant(text)
    return None if at is None else max(0.0, (now - at).total_seconds())


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
