"""Reading values by key: from the process, from another's read that is under way, or from Redis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nightshelf.client.core.failures import cause_of
from nightshelf.client.core.protocol import Batch, Command, Talk, Unanswered
from nightshelf.client.core.single_flight import Flight
from nightshelf.client.core.state import Call, Mind
from nightshelf.client.core.stored_list import Shelved
from nightshelf.client.settings import ReadSettings
from nightshelf.contract.values import members, row
from nightshelf.errors import CorruptValue


@dataclass(frozen=True)
class Kind:
    """A kind of value: how it is decoded, how long it is fresh, and whether it is a user's own.

    `asks` gives the command for a key of what is no plain value.
    """

    decode: Callable[[Any], Any]
    fresh_s: Callable[[ReadSettings], float]
    personal: bool = False
    asks: Callable[[str], Command] | None = None


def _members(key: str) -> Command:
    return ("ZRANGE", key, 0, -1)


LIST = Kind(Shelved.from_json, lambda settings: settings.list_ttl_s, personal=True)
MASK = Kind(members, lambda settings: settings.mask_ttl_s, personal=True, asks=_members)
USER = Kind(row, lambda settings: settings.list_ttl_s, personal=True)
ITEM = Kind(row, lambda settings: settings.item_ttl_s)
POPULAR = Kind(Shelved.from_json, lambda settings: settings.popular_ttl_s)

Wanted = dict[str, Kind]
Values = dict[str, Any]


def fetch(mind: Mind, call: Call, wanted: Wanted) -> Talk[Values]:
    """Return values by key, leaving out what is not there, corrupt, or not given in time."""
    n_landed = mind.flights.n_landed
    found, due, early = mind.cache.look(wanted)
    if due or early:
        flight, mine, theirs = mind.flights.join(due, early)
        if mine:
            anew = mind.flights.n_landed == n_landed
            found |= yield from _fly(mind, call, flight, mine, wanted, anew=anew)
        for key, other in theirs.items():
            if other.brought is None and other.landing and not mind.breaker.is_open:
                yield other.landing
            if other.brought is None:  # our time is up before theirs, or Redis is being tried
                call.failed = "timeout"
            brought = other.brought or {}
            call.failed = call.failed or other.failed
            found[key] = brought[key] if key in brought else _in_trouble(mind, key)
    return {key: value for key, value in found.items() if value is not None}


def read_through(mind: Mind, call: Call, wanted: Wanted) -> Talk[Callable[[str], Any]]:
    """Return what gives a value by key as `fetch` has them, keeping nothing.

    A batch must not push out what pages ask for; what the process has serves all the same. Each
    value is decoded when it is asked for, so no more of them need be held than one.
    """
    found, due, _ = mind.cache.look(wanted)
    came = (yield from _read(mind, call, due, wanted)) if due else {}

    def value(key: str) -> Any:
        if key in found:
            return found[key]
        if isinstance(came, Unanswered):
            return _in_trouble(mind, key)
        return _decoded(mind, wanted[key], came[key]) if key in came else None

    return value


def ask(mind: Mind, call: Call, batch: Batch) -> Talk[list[Any] | Unanswered]:
    """Ask Redis, unless it has failed this call already."""
    if call.failed:
        return Unanswered(call.failed, "")
    call.asked = True
    replies: list[Any] | Unanswered = yield batch
    if isinstance(replies, Unanswered):
        call.failed = replies.cause
    return replies


def _fly(
    mind: Mind, call: Call, flight: Flight, mine: Sequence[str], wanted: Wanted, *, anew: bool
) -> Talk[Values]:
    """Read in one round trip, keep what came, and tell those who wait for it."""
    told = mind.told  # a message may come between Redis' answer and our keeping it
    brought: Values = {}
    try:
        if not anew:  # others' reads have landed between our look and our turn
            brought |= mind.cache.landed(mine)
        asked = [key for key in mine if key not in brought] if brought else mine
        began = mind.clock()
        came = (yield from _read(mind, call, asked, wanted)) if asked else {}
        if not isinstance(came, Unanswered):
            took_s = mind.clock() - began
            for key, reply in came.items():
                kind = wanted[key]
                if isinstance(reply, Exception):  # for this key alone: what was kept may serve
                    mind.count(cause_of(reply))
                    continue
                brought[key] = value = _decoded(mind, kind, reply)
                if mind.flights.is_current(flight, key):
                    fresh_s = kind.fresh_s(mind.settings)
                    if kind.personal and told and mind.told:
                        fresh_s = mind.settings.listening_ttl_s
                    size = _size(reply)
                    mind.cache.put(key, value, fresh_s=fresh_s, took_s=took_s, n_bytes=size)
    finally:
        flight.failed = call.failed
        mind.flights.land(flight, mine, brought)
    if len(brought) == len(mine):
        return brought
    return {key: brought[key] if key in brought else _in_trouble(mind, key) for key in mine}


def _read(
    mind: Mind, call: Call, asked: Sequence[str], wanted: Wanted
) -> Talk[dict[str, Any] | Unanswered]:
    """Return replies by key, some of them errors: one MGET for plain values, a command for others.

    The values come first.
    """
    strings: list[str] = []
    others: list[str] = []
    commands: Batch = []
    for key in asked:
        if asks := wanted[key].asks:
            others.append(key)
            commands.append(asks(key))
        else:
            strings.append(key)
    batch: Batch = [("MGET", *strings), *commands] if strings else commands
    replies = yield from ask(mind, call, batch)
    if isinstance(replies, Unanswered):
        return replies
    if strings:
        first = replies[0]
        replies[:1] = [first] * len(strings) if isinstance(first, Exception) else first
    return dict(zip(strings + others, replies, strict=True))


def _decoded(mind: Mind, kind: Kind, reply: Any) -> Any:
    if isinstance(reply, Exception):
        mind.count(cause_of(reply))
        return None
    if not kind.asks:
        mind.answered(there=reply is not None)
    if reply is None:
        return None
    try:
        return kind.decode(reply)
    except CorruptValue:
        mind.count("corrupt")
        return None


def _in_trouble(mind: Mind, key: str) -> Any:
    """Return what was kept of a key that Redis does not give."""
    copy = mind.cache.stale(key)
    return copy.value if copy else None


def _size(reply: Any) -> int:
    return len(reply) if isinstance(reply, bytes | str) else 40 * len(reply or ())
