"""Erasure: a user taken out of everything that Redis holds, proven by reading back.

What is on disk is not reached from here: the event log, and the folders of runs. A user whom the
log still knows has a list again with the next night or refresh.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from redis import Redis

from nightshelf.admin.batches import BATCH_KEYS, batched
from nightshelf.admin.notify import tell
from nightshelf.contract.keys import DEFAULT_TTL_S, FALLBACK_TTL_FACTOR, Keys, encode_id, parse

#: KEYS: refreshed, generations. ARGV: how many keys, TTL, generation.
#: A full Redis must still be able to forget.
_NOTE = """#!lua flags=allow-oom
if not redis.call('HGET', KEYS[2], ARGV[3]) then return end
local before = tonumber(redis.call('HGET', KEYS[1], 'forgotten') or '0')
redis.call('HSET', KEYS[1], 'forgotten', before + ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2], 'NX')
redis.call('EXPIRE', KEYS[1], ARGV[2], 'GT')
"""


@dataclass(frozen=True)
class Traces:
    """What Redis holds of one user: keys of any generation, and entries of the event stream.

    `waiting`: the user is among those who wait for a fresh list.
    """

    keys: tuple[str, ...]
    entries: tuple[str, ...]
    waiting: bool = False

    def __bool__(self) -> bool:
        return bool(self.keys or self.entries or self.waiting)


def traces(client: Redis, namespace: str, user: str) -> Traces:
    """Find a user's lists and feature rows in every generation, what they did, and stream entries.

    Every key of the server is looked at, a thousand at a time: also generations that nothing
    remembers are found. `InvalidKey` where `user` is no id.
    """
    found = client.scan_iter(match=Keys(namespace).of_user(user), count=BATCH_KEYS)
    keys = {key.decode() for key in found if parse(key)}
    entries = (
        name.decode()
        for name, fields in _entries(client, Keys(namespace).events)
        if fields.get(b"user_id") == user.encode()
    )
    waiting = client.zscore(Keys(namespace).refresh_queue, user) is not None
    return Traces(tuple(sorted(keys)), tuple(entries), waiting)


def forget(client: Redis, namespace: str, user: str) -> tuple[Traces, Traces]:
    """Delete every trace of a user; return what was found, and what a second look still finds.

    Processes that listen drop what they keep; others have it until its time is up.
    """
    keys = Keys(namespace)
    token = keys.refreshing(user)
    # First: no refresh writes a list for the user once its keys are looked for.
    queued = client.zrem(keys.refresh_queue, user) > 0
    client.delete(token)
    found = replace(traces(client, namespace, user), waiting=queued)
    for names in batched(found.keys):
        client.unlink(*names)
    _note(client, namespace, found.keys)
    for names in batched(found.entries):
        client.xdel(keys.events, *names)
    tell(client, namespace, f"forget:{encode_id(user)}")
    return found, traces(client, namespace, user)


def _note(client: Redis, namespace: str, erased: tuple[str, ...]) -> None:
    """Count the keys of each generation that were erased: no loss, and it is still whole."""
    numbers = [key.generation for name in erased if (key := parse(name)) and key.generation]
    for generation, n in Counter(numbers).items():
        keys = Keys(namespace)
        names = keys.refreshed(generation), keys.generations
        client.eval(_NOTE, 2, *names, n, FALLBACK_TTL_FACTOR * DEFAULT_TTL_S, generation)


def _entries(client: Redis, stream: str) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    """Yield the entries of a stream, a thousand at a time, oldest first."""
    after = "-"
    while True:
        batch: list[Any] = client.xrange(stream, min=after, count=BATCH_KEYS)  # type: ignore[assignment]
        yield from batch
        if len(batch) < BATCH_KEYS:
            return
        after = f"({batch[-1][0].decode()}"
