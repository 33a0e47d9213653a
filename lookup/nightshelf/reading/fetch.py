"""Reading values by key: from the process, from another's read that is under way, or from Redis."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from nightshelf.errors import CorruptValue
from nightshelf.reading.causes import cause_of
from nightshelf.reading.decode import Shelved, members, row
from nightshelf.reading.flights import Flight
from nightshelf.reading.mind import Call, Mind
from nightshelf.reading.talk import Batch, Talk, Unanswered
from nightshelf.settings import ReadSettings


@dataclass(frozen=True)
class Kind:
    """A kind of value: how it is decoded, how long it is fresh, and whether it is a user's own."""

    decode: Callable[[Any], Any]
    fresh_s: Callable[[ReadSettings], float]
    personal: bool = False
    is_set: bool = False


LIST = Kind(Shelved.from_json, lambda settings: settings.list_ttl_s, personal=True)
MASK = Kind(members, lambda settings: settings.mask_ttl_s, personal=True, is_set=True)
USER = Kind(row, lambda settings: settings.list_ttl_s, personal=True)
ITEM = Kind(row, lambda settings: settings.item_ttl_s)
POPULAR = Kind(Shelved.from_json, lambda settings: settings.popular_ttl_s)

Wanted = dict[str, Kind]
Values = dict[str, Any]


def fetch(mind: Mind, call: Call, wanted: Wanted) -> Talk[Values]:
    """Return values by key, leaving out what is not there, corrupt, or not given in time."""
    found, due, early = mind.cache.look(wanted)
    if due or early:
        flight, mine, theirs = mind.flights.join(due, early)
        if mine:
            found |= yield from _fly(mind, call, flight, mine, wanted)
        for key, other in theirs.items():
            if other.brought is None and other.landing:
                yield other.landing
            if other.brought is None:  # our time is up before theirs
                call.failed = "timeout"
            brought = other.brought or {}
            call.failed = call.failed or other.failed
            found[key] = brought[key] if key in brought else _in_trouble(mind, key)
    return {key: value for key, value in found.items() if value is not None}


def read_through(mind: Mind, call: Call, wanted: Wanted) -> Talk[Values]:
    """Return values as `fetch` does, keeping nothing: a batch must not push out what pages ask for.

    What the process has serves all the same.
    """
    found, due, _ = mind.cache.look(wanted)
    if due:
        asked = {key: wanted[key] for key in due}
        replies = yield from ask(mind, call, _batch(asked))
        if isinstance(replies, Unanswered):
            found |= {key: _in_trouble(mind, key) for key in due}
        else:
            for key, reply in _by_key(asked, replies):
                found[key] = _decoded(mind, asked[key], reply)
    return {key: value for key, value in found.items() if value is not None}


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
    mind: Mind, call: Call, flight: Flight, mine: Sequence[str], wanted: Wanted
) -> Talk[Values]:
    """Read in one round trip, keep what came, and tell those who wait for it."""
    brought: Values = {}
    told = mind.told  # a message may come between Redis' answer and our keeping it
    try:
        # Another's read may have landed between our look and our turn.
        brought |= mind.cache.landed(mine)
        asked = {key: wanted[key] for key in mine if key not in brought}
        began = mind.clock()
        replies = (yield from ask(mind, call, _batch(asked))) if asked else []
        if not isinstance(replies, Unanswered):
            took_s = mind.clock() - began
            for key, reply in _by_key(asked, replies):
                kind = asked[key]
                if isinstance(reply, Exception):  # for this key alone: what was kept may serve
                    mind.count(cause_of(reply))
                    continue
                brought[key] = value = _decoded(mind, kind, reply)
                if mind.flights.is_current(flight, key):
                    settings = mind.settings
                    fresh_s = kind.fresh_s(settings)
                    if kind.personal and told and mind.told:
                        fresh_s = settings.told_ttl_s
                    size = _size(reply)
                    mind.cache.put(key, value, fresh_s=fresh_s, took_s=took_s, n_bytes=size)
    finally:
        flight.failed = call.failed
        mind.flights.land(flight, mine, brought)
    return {key: brought[key] if key in brought else _in_trouble(mind, key) for key in mine}


def _batch(wanted: Wanted) -> Batch:
    """Return one MGET for all values and a command for each set."""
    strings = [key for key, kind in wanted.items() if not kind.is_set]
    sets: Batch = [("ZRANGE", key, 0, -1) for key, kind in wanted.items() if kind.is_set]
    return [("MGET", *strings), *sets] if strings else sets


def _by_key(wanted: Wanted, replies: list[Any]) -> Iterator[tuple[str, Any]]:
    """Return each key with its reply, which may be an error."""
    sets = [key for key, kind in wanted.items() if kind.is_set]
    if len(sets) == len(wanted):
        return zip(sets, replies, strict=True)
    strings = [key for key, kind in wanted.items() if not kind.is_set]
    first, *rest = replies
    values = [first] * len(strings) if isinstance(first, Exception) else first
    return chain(zip(strings, values, strict=True), zip(sets, rest, strict=True))


def _decoded(mind: Mind, kind: Kind, reply: Any) -> Any:
    if isinstance(reply, Exception):
        mind.count(cause_of(reply))
        return None
    if not kind.is_set:
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
