"""The pointer, and what is withdrawn: read about once a second, by one caller for all."""

from contextlib import suppress
from typing import Any

from nightshelf.client.core.failures import cause_of
from nightshelf.client.core.masking import Masks
from nightshelf.client.core.protocol import Talk, Unanswered
from nightshelf.client.core.read import POPULAR, ask, fetch
from nightshelf.client.core.state import Call, Mind, Seen, published_s
from nightshelf.contract.keys import POINTER_CACHE_S
from nightshelf.contract.values import Manifest, members
from nightshelf.errors import CorruptValue

#: Beyond this age the pointer is not used while another caller asks for a newer one: a generation
#: that was left is deleted two seconds after, at the soonest.
_HARD_S = 1.5 * POINTER_CACHE_S


def begin(mind: Mind) -> Talk[Call]:
    """Begin a call with what is live and what is withdrawn, as of about a second ago at most."""
    call = Call(mind.seen)
    age_s = mind.clock() - call.seen.at
    if age_s < POINTER_CACHE_S:
        return call
    flight, mine, theirs = mind.flights.join([mind.keys.current])
    if mine:
        try:
            yield from _refresh(mind, call)
        finally:
            mind.flights.land(flight, mine, {})
    elif (
        age_s >= _HARD_S
        and not mind.breaker.is_open  # else one call tries whether Redis is back, for all
        and (landing := theirs[mind.keys.current].landing)
    ):
        yield landing
        if not landing.done():
            call.failed = "timeout"
    call.seen = mind.seen
    return call


def _refresh(mind: Mind, call: Call) -> Talk[None]:
    if mind.clock() - mind.seen.at < POINTER_CACHE_S:  # another has just been here
        return
    asked_at = mind.clock()
    keys = mind.keys
    sets = [("SMEMBERS", keys.blocked), ("SMEMBERS", keys.unavailable)]
    replies = yield from ask(mind, call, [("GET", keys.current), *sets])
    if isinstance(replies, Unanswered):
        return
    pointer, *withdrawn = replies
    if isinstance(pointer, Exception):
        mind.count(cause_of(pointer))
        call.failed = cause_of(pointer)
        return
    live = _manifest(mind, pointer)
    # What cannot be read takes no list away: the set that was read last holds on.
    blocked = _set(mind, withdrawn[0], mind.seen.blocked)
    unavailable = _set(mind, withdrawn[1], mind.seen.unavailable)
    masks = Masks(blocked | unavailable, blocked)
    mind.seen = Seen(asked_at, live, published_s(live), blocked, unavailable, masks)
    if live and not (mind.last_good and mind.last_good[0] == live):
        # Kept whole: what is blocked today may be shown again before the next generation.
        key = keys.popular(live.generation, "all")
        everyone = (yield from fetch(mind, call, {key: POPULAR})).get(key)
        if everyone and everyone.items:
            mind.last_good = (live, everyone)


def _manifest(mind: Mind, pointer: bytes | str | None) -> Manifest | None:
    if not pointer:
        mind.count("missing")
        return None
    with suppress(CorruptValue):
        return Manifest.from_json(pointer)
    mind.count("corrupt")
    return None


def _set(mind: Mind, reply: Any, before: frozenset[str]) -> frozenset[str]:
    if isinstance(reply, Exception):
        mind.count(cause_of(reply))
        return before
    return members(reply)
