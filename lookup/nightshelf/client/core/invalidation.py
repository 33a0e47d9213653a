"""Invalidation: drop cached values when a message on the channel ``invalidate`` says so."""

import math
from contextlib import suppress
from dataclasses import replace

from nightshelf.client.core.state import ClientState
from nightshelf.contract.keys import decode_id, is_of_user

#: After so long without a message or a ping's reply, messages may have been lost.
SILENCE_S = 2.0
#: Seconds between pings.
PING_S = 0.5


def apply_message(state: ClientState, message: bytes | str) -> None:
    """Drop the values that a message names; messages of unknown kinds are ignored."""
    text = message if isinstance(message, str) else message.decode(errors="replace")
    kind, _, name = text.partition(":")
    if kind == "masks":
        state.pointer = replace(state.pointer, at=-math.inf)
        return
    with suppress(ValueError):  # bytes that are not text, or not an id
        name = decode_id(name)
        if kind == "user":
            state.drop(state.keys_of(name))
        elif kind == "row":
            state.drop([state.keys.recent(name)])
        elif kind == "forget":
            state.drop(state.keys_of(name))
            state.forget(name)
        elif kind == "item" and (live := state.pointer.live):
            served = [live.generation, *([live.canary.generation] if live.canary else [])]
            state.drop([state.keys.item(at, name) for at in served])


def listening_started(state: ClientState) -> None:
    """Keep users' values for `listening_ttl_s` from now on: every message arrives."""
    state.listening = True


def listening_lost(state: ClientState) -> None:
    """Expire users' values: messages may be missed from now on."""
    state.listening = False
    state.cache.age(is_of_user)
