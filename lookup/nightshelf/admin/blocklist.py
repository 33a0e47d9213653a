"""Blocklist: items removed from every path at once, and unblocked.

Readers read the blocklist with the pointer, so within `POINTER_CACHE_S`, or at once where they
listen, and mask blocked items in lists, fallbacks, similar items and cached copies. Pages fill from
the lists' tails.
"""

from collections.abc import Collection

from redis import Redis

from nightshelf.admin.batches import batched
from nightshelf.admin.notify import notify
from nightshelf.contract.keys import Keys, encode_id

#: allow-oom: blocking must work in a full Redis.
_ADD = """#!lua flags=allow-oom
return redis.call('SADD', KEYS[1], unpack(ARGV))
"""


def block(client: Redis, namespace: str, items: Collection[str]) -> int:
    """Block items; return the number of newly blocked ones. `InvalidKey` for what is no id."""
    key, n_new = Keys(namespace).blocked, 0
    for batch in batched(_checked(items)):
        n_new += int(client.eval(_ADD, 1, key, *batch))
    notify(client, namespace, "masks")
    return n_new


def unblock(client: Redis, namespace: str, items: Collection[str]) -> int:
    """Unblock items; return the number that were blocked. `InvalidKey` for what is no id."""
    key = Keys(namespace).blocked
    n_freed = sum(int(client.srem(key, *batch)) for batch in batched(_checked(items)))
    notify(client, namespace, "masks")
    return n_freed


def blocked(client: Redis, namespace: str) -> list[str]:
    """Return the blocked items, in ascending order."""
    members: set[bytes] = client.smembers(Keys(namespace).blocked)  # type: ignore[assignment]
    return sorted(member.decode(errors="replace") for member in members)


def _checked(items: Collection[str]) -> list[str]:
    """Return the distinct items; `InvalidKey` for an invalid id."""
    distinct = list(dict.fromkeys(items))
    for item in distinct:
        encode_id(item)
    return distinct
