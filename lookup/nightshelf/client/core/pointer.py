"""Pointer: the live manifest and excluded items, read about once a second by one call for all."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

from nightshelf.client.core.failures import NODE_LOST, cause_of
from nightshelf.client.core.masking import Masks
from nightshelf.client.core.protocol import Exchange, NoReply
from nightshelf.client.core.read import POPULAR, ask, fetch
from nightshelf.client.core.state import CallState, ClientState, PointerSnapshot, published_s
from nightshelf.contract.keys import POINTER_CACHE_S
from nightshelf.contract.values import Manifest, members
from nightshelf.errors import CorruptValue

#: An older snapshot is not used while another call reads a new one: a generation that is no longer
#: live is deleted after two seconds at the earliest.
_HARD_S = 1.5 * POINTER_CACHE_S


def begin(state: ClientState) -> Exchange[CallState]:
    """Begin a call with a pointer snapshot that is about a second old at most."""
    call = CallState(state.pointer)
    age_s = state.clock() - call.pointer.at
    if age_s < POINTER_CACHE_S:
        return call
    read, mine, theirs = state.single_flight.join([state.keys.current])
    if mine:
        try:
            yield from _refresh(state, call)
        finally:
            state.single_flight.finish(read, mine, {})
    elif (
        age_s >= _HARD_S
        and not state.breaker.is_open  # else one call probes Redis for all
        and (in_flight := theirs[state.keys.current].in_flight)
    ):
        yield in_flight
        if not in_flight.done():
            call.failed = "timeout"
    call.pointer = state.pointer
    return call


def _refresh(state: ClientState, call: CallState) -> Exchange[None]:
    if state.clock() - state.pointer.at < POINTER_CACHE_S:  # another call has just read it
        return
    asked_at = state.clock()
    keys = state.keys
    members_of = [("SMEMBERS", keys.blocked), ("SMEMBERS", keys.unavailable)]
    replies = yield from ask(state, call, [("GET", keys.current), *members_of])
    if isinstance(replies, NoReply):
        return
    pointer, *sets = replies
    if isinstance(pointer, Exception):
        cause = cause_of(pointer)
        state.count(cause)
        if isinstance(pointer, NODE_LOST) and state.pointer.live:
            # Other nodes have the lists of what was live a moment ago: ask again in a second.
            state.pointer = replace(state.pointer, at=asked_at)
        else:
            call.failed = cause
        return
    live = _manifest(state, pointer)
    # An unreadable set leaves the last one in force.
    blocked = _set(state, sets[0], state.pointer.blocked)
    unavailable = _set(state, sets[1], state.pointer.unavailable)
    masks = Masks(blocked | unavailable, blocked)
    state.pointer = PointerSnapshot(asked_at, live, published_s(live), blocked, unavailable, masks)
    if live and not (state.last_good and state.last_good[0] == live):
        # Kept unmasked: a blocked item may be unblocked before the next generation.
        key = keys.popular(live.generation, "all")
        everyone = (yield from fetch(state, call, {key: POPULAR})).get(key)
        if everyone and everyone.items:
            state.last_good = (live, everyone)


def _manifest(state: ClientState, pointer: bytes | str | None) -> Manifest | None:
    if not pointer:
        state.count("missing")
        return None
    with suppress(CorruptValue):
        return Manifest.from_json(pointer)
    state.count("corrupt")
    return None


def _set(state: ClientState, reply: Any, before: frozenset[str]) -> frozenset[str]:
    if isinstance(reply, Exception):
        state.count(cause_of(reply))
        return before
    return members(reply)
