"""The kill-switch: items taken off every path at once, and put back.

Readers learn of it with the pointer, so within `POINTER_CACHE_S`, or at once where they listen, and
mask what is blocked wherever it stands: lists, fallbacks, similar items, copies kept in the
process. What was masked is made up for from the lists' tails.
"""

from collections.abc import Collection

from redis import Redis

from nightshelf.admin.batches import batched
from nightshelf.admin.notify import tell
from nightshelf.contract.keys import Keys, encode_id

#: A full Redis must still be able to take an item off.
_ADD = """#!lua flags=allow-oom
return redis.call('SADD', KEYS[1], unpack(ARGV))
"""


def block(client: Redis, namespace: str, items: Collection[str]) -> int:
    """Take items off every path; return how many were not off before. `InvalidKey` for no id."""
    key, n_new = Keys(namespace).blocked, 0
    for batch in batched(_checked(items)):
        n_new += int(client.eval(_ADD, 1, key, *batch))
    tell(client, namespace, "masks")
    return n_new


def unblock(client: Redis, namespace: str, items: Collection[str]) -> int:
    """Let items be shown again; return how many were blocked. `InvalidKey` for no id."""
    key = Keys(namespace).blocked
    n_freed = sum(int(client.srem(key, *batch)) for batch in batched(_checked(items)))
    tell(client, namespace, "masks")
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
