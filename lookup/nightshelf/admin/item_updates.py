"""Item updates by day: price, availability, title; in effect for readers within two seconds.

Lists hold ids alone, so none of them changes: unavailable items are masked on read, and filters and
metadata use the row (docs/decisions/0018-client.md).
"""

import json
from typing import Any

from redis import Redis

from nightshelf.admin.generations import current
from nightshelf.admin.notify import notify
from nightshelf.contract.keys import Keys, encode_id
from nightshelf.contract.values import row
from nightshelf.errors import TransitionRefused

_COMPARE_AND_SET = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
"""
_ATTEMPTS = 5


def revise(client: Redis, namespace: str, item: str, **changes: Any) -> int:
    """Set fields of an item's row in the served generations; return the number of rows set.

    `available=False` also masks the item in every list, `available=True` unmasks it. The next night
    makes its rows from its own input: put lasting changes there too. `InvalidKey` where `item`
    is no id; `CorruptValue` where a row is none; `TransitionRefused` (`contended`).
    """
    keys, live = Keys(namespace), current(client, namespace)
    encoded = encode_id(item)
    if "available" in changes:
        change = client.srem if changes["available"] else client.sadd
        change(keys.unavailable, item)
        notify(client, namespace, "masks")
    served = [live.generation] if live else []
    served += [live.canary.generation] if live and live.canary else []
    n_set = sum(_merge(client, keys.item(at, item), changes) for at in served)
    notify(client, namespace, f"item:{encoded}")
    return n_set


def _merge(client: Redis, key: str, changes: dict[str, Any]) -> bool:
    for _ in range(_ATTEMPTS):
        before: bytes | None = client.get(key)  # type: ignore[assignment]
        if before is None:
            return False
        after = json.dumps(row(before) | changes, ensure_ascii=False, separators=(",", ":"))
        if client.eval(_COMPARE_AND_SET, 1, key, before, after):
            return True
    raise TransitionRefused("contended", f"others changed {key} {_ATTEMPTS} times over")
