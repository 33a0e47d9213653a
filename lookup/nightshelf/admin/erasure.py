"""Erasure: delete all data of a user in Redis, and prove it by reading back.

The event log and the run folders on disk stay as they are. A user who is still in the log gets a
list again with the next night or refresh.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from redis import Redis

from nightshelf.admin.batches import BATCH_KEYS, batched
from nightshelf.admin.notify import notify
from nightshelf.contract.keys import DEFAULT_TTL_S, FALLBACK_TTL_FACTOR, Keys, encode_id, parse

#: KEYS: refreshed, generations. ARGV: how many keys, TTL, generation.
#: allow-oom: erasure must work in a full Redis.
_NOTE = """#!lua flags=allow-oom
if not redis.call('HGET', KEYS[2], ARGV[3]) then return end
local before = tonumber(redis.call('HGET', KEYS[1], 'forgotten') or '0')
redis.call('HSET', KEYS[1], 'forgotten', before + ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2], 'NX')
redis.call('EXPIRE', KEYS[1], ARGV[2], 'GT')
"""


@dataclass(frozen=True)
class Traces:
    """Data of one user in Redis: keys of any generation, and entries of the event stream.

    `queued`: whether the user is in the refresh queue.
    """

    keys: tuple[str, ...]
    entries: tuple[str, ...]
    queued: bool = False

    def __bool__(self) -> bool:
        return bool(self.keys or self.entries or self.queued)


def traces(client: Redis, namespace: str, user: str) -> Traces:
    """Find a user's keys in every generation and beside them, and the user's stream entries.

    All keys of the server are scanned, a thousand at a time, so keys of forgotten generations are
    found too. `InvalidKey` where `user` is no id.
    """
    found = client.scan_iter(match=Keys(namespace).of_user(user), count=BATCH_KEYS)
    keys = {key.decode() for key in found if parse(key)}
    entries = (
        name.decode()
        for name, fields in _entries(client, Keys(namespace).events)
        if fields.get(b"user_id") == user.encode()
    )
    queued = client.zscore(Keys(namespace).refresh_queue, user) is not None
    return Traces(tuple(sorted(keys)), tuple(entries), queued)


def forget(client: Redis, namespace: str, user: str) -> tuple[Traces, Traces]:
    """Delete all data of a user; return the data found, and the data found by a second search.

    Listening processes drop their copies; others keep them until they expire.
    """
    keys = Keys(namespace)
    token = keys.refreshing(user)
    # First: no refresh writes a list for the user once its keys are looked for.
    queued = client.zrem(keys.refresh_queue, user) > 0
    client.delete(token)
    found = replace(traces(client, namespace, user), queued=queued)
    for names in batched(found.keys):
        client.unlink(*names)
    _note(client, namespace, found.keys)
    for names in batched(found.entries):
        client.xdel(keys.events, *names)
    notify(client, namespace, f"forget:{encode_id(user)}")
    return found, traces(client, namespace, user)


def _note(client: Redis, namespace: str, erased: tuple[str, ...]) -> None:
    """Count each generation's erased keys, so that it still counts as whole."""
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
