"""Read values by key: from the cache, from a read in flight, or from Redis."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nightshelf.client.core.failures import UNREAD, cause_of
from nightshelf.client.core.protocol import Batch, Command, Exchange, NoReply
from nightshelf.client.core.single_flight import Read
from nightshelf.client.core.state import CallState, ClientState
from nightshelf.client.core.stored_list import StoredList
from nightshelf.client.settings import ReadSettings
from nightshelf.contract.values import members, row
from nightshelf.errors import CorruptValue


@dataclass(frozen=True)
class Kind:
    """A kind of value: its decoder, its TTL in the cache, and whether it belongs to one user.

    `command` makes the command for a key that holds no plain string.
    """

    decode: Callable[[Any], Any]
    fresh_s: Callable[[ReadSettings], float]
    personal: bool = False
    command: Callable[[str], Command] | None = None


def _members(key: str) -> Command:
    return ("ZRANGE", key, 0, -1)


LIST = Kind(StoredList.from_json, lambda settings: settings.list_ttl_s, personal=True)
MASK = Kind(members, lambda settings: settings.mask_ttl_s, personal=True, command=_members)
USER = Kind(row, lambda settings: settings.list_ttl_s, personal=True)
ITEM = Kind(row, lambda settings: settings.item_ttl_s)
POPULAR = Kind(StoredList.from_json, lambda settings: settings.popular_ttl_s)

Wanted = dict[str, Kind]
Values = dict[str, Any]


def fetch(state: ClientState, call: CallState, wanted: Wanted) -> Exchange[Values]:
    """Return values by key, without those that are absent, corrupt or late."""
    n_finished = state.single_flight.n_finished
    found, due, early = state.cache.lookup(wanted)
    if due or early:
        read, mine, theirs = state.single_flight.join(due, early)
        if mine:
            is_first = state.single_flight.n_finished == n_finished
            found |= yield from _lead(state, call, read, mine, wanted, is_first=is_first)
        for key, other in theirs.items():
            if other.values is None and other.in_flight and not state.breaker.is_open:
                yield other.in_flight
            if other.values is None:  # our deadline is before theirs, or a probe is on its way
                call.failed = "timeout"
            values = other.values or {}
            call.failed = call.failed or other.failed
            call.missed |= other.missed
            found[key] = values[key] if key in values else _stale(state, key)
    return {key: value for key, value in found.items() if value is not None}


def read_through(
    state: ClientState, call: CallState, wanted: Wanted
) -> Exchange[Callable[[str], Any]]:
    """Return a function from key to value, as `fetch` has them, caching nothing.

    Cached values are used, but a batch must not evict those that pages read. Each value is decoded
    on request, so that only one need be held at a time.
    """
    found, due, _ = state.cache.lookup(wanted)
    replies = (yield from _read(state, call, due, wanted)) if due else {}

    def value(key: str) -> Any:
        if key in found:
            return found[key]
        if isinstance(replies, NoReply) or _is_unread(state, call, replies.get(key)):
            return _stale(state, key)
        return _decoded(state, wanted[key], replies[key]) if key in replies else None

    return value


def ask(state: ClientState, call: CallState, batch: Batch) -> Exchange[list[Any] | NoReply]:
    """Ask Redis, unless it has failed this call already."""
    if call.failed:
        return NoReply(call.failed, "")
    call.asked = True
    replies: list[Any] | NoReply = yield batch
    if isinstance(replies, NoReply):
        call.failed = replies.cause
    return replies


def _lead(
    state: ClientState,
    call: CallState,
    read: Read,
    mine: Sequence[str],
    wanted: Wanted,
    *,
    is_first: bool,
) -> Exchange[Values]:
    """Read in one round trip, cache the values, and wake the waiters."""
    listening = state.listening  # a message may arrive between the reply and its caching
    values: Values = {}
    try:
        if not is_first:  # another read ended between our lookup and our turn
            values |= state.cache.peek(mine)
        asked = [key for key in mine if key not in values] if values else mine
        began = state.clock()
        replies = (yield from _read(state, call, asked, wanted)) if asked else {}
        if not isinstance(replies, NoReply):
            took_s = state.clock() - began
            for key, reply in replies.items():
                kind = wanted[key]
                if _is_unread(state, call, reply):  # this key alone: a stale value may serve
                    continue
                values[key] = value = _decoded(state, kind, reply)
                if state.single_flight.is_current(read, key):
                    fresh_s = kind.fresh_s(state.settings)
                    if kind.personal and listening and state.listening:
                        fresh_s = state.settings.listening_ttl_s
                    size = _size(reply)
                    state.cache.put(key, value, fresh_s=fresh_s, took_s=took_s, n_bytes=size)
    finally:
        read.failed, read.missed = call.failed, call.missed
        state.single_flight.finish(read, mine, values)
    if len(values) == len(mine):
        return values
    return {key: values[key] if key in values else _stale(state, key) for key in mine}


def _read(
    state: ClientState, call: CallState, asked: Sequence[str], wanted: Wanted
) -> Exchange[dict[str, Any] | NoReply]:
    """Return replies by key, some of them errors: strings by one MGET first, then the others."""
    strings: list[str] = []
    others: list[str] = []
    commands: Batch = []
    for key in asked:
        if command := wanted[key].command:
            others.append(key)
            commands.append(command(key))
        else:
            strings.append(key)
    batch: Batch = [("MGET", *strings), *commands] if strings else commands
    replies = yield from ask(state, call, batch)
    if isinstance(replies, NoReply):
        return replies
    if strings:
        first = replies[0]
        replies[:1] = [first] * len(strings) if isinstance(first, Exception) else first
    return dict(zip(strings + others, replies, strict=True))


def _is_unread(state: ClientState, call: CallState, reply: Any) -> bool:
    """Tell whether a reply is an error, and count it."""
    if not isinstance(reply, Exception):
        return False
    cause = cause_of(reply)
    state.count(cause)
    call.missed |= cause in UNREAD
    return True


def _decoded(state: ClientState, kind: Kind, reply: Any) -> Any:
    if not kind.command:
        state.count_value(found=reply is not None)
    if reply is None:
        return None
    try:
        return kind.decode(reply)
    except CorruptValue:
        state.count("corrupt")
        return None


def _stale(state: ClientState, key: str) -> Any:
    """Return a cached value of a key that Redis failed to give."""
    entry = state.cache.stale(key)
    return entry.value if entry else None


def _size(reply: Any) -> int:
    return len(reply) if isinstance(reply, bytes | str) else 40 * len(reply or ())
