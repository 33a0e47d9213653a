"""What a process makes of the messages on the channel ``invalidate``."""

import math
from contextlib import suppress
from dataclasses import replace

from nightshelf.client.core.state import Mind
from nightshelf.contract.keys import decode_id

#: A server that has not answered for this long has not told us everything.
SILENCE_S = 2.0
#: What every key that belongs to a user has in it.
_OF_USERS = (":list:", ":user:", ":acted:", ":fresh:", ":lately:")
#: How often it is asked whether it is there.
PING_S = 0.5


def hear(mind: Mind, message: bytes | str) -> None:
    """Drop what a message says has changed; pass over one that this version does not know."""
    text = message if isinstance(message, str) else message.decode(errors="replace")
    kind, _, name = text.partition(":")
    if kind == "seen":
        mind.seen = replace(mind.seen, at=-math.inf)
        return
    with suppress(ValueError):  # bytes that are no text, or no id
        name = decode_id(name)
        if kind == "user":
            mind.drop(mind.keys_of(name))
        elif kind == "row":
            mind.drop([mind.keys.lately(name)])
        elif kind == "forget":
            mind.drop(mind.keys_of(name))
            mind.forget(name)
        elif kind == "item" and (live := mind.seen.live):
            served = [live.generation, *([live.canary.generation] if live.canary else [])]
            mind.drop([mind.keys.item(at, name) for at in served])


def tuned_in(mind: Mind) -> None:
    """Note that every message is heard from now on: what is read may be kept for longer."""
    mind.told = True


def tuned_out(mind: Mind) -> None:
    """Note that messages may be missed: what belongs to users must be read again."""
    mind.told = False
    mind.cache.age(lambda key: any(family in key for family in _OF_USERS))
