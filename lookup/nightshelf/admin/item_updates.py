"""An item's row changed by day: price, stock, title; felt by every reader within a second or two.

Lists hold ids alone, so none of them is touched: what is out of stock is masked on read, and
filters and metadata go by the row (docs/decisions/0018-client.md).
"""

import json
from typing import Any

from redis import Redis

from nightshelf.admin.generations import current
from nightshelf.admin.notify import tell
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
    """Set fields of an item's row in the generations that are served; return in how many.

    `available=False` also takes the item off every list, `available=True` puts it back. The night
    makes its rows from its own input: what shall last belongs there too. `InvalidKey` where `item`
    is no id; `CorruptValue` where a row is none; `TransitionRefused` (`contended`).
    """
    keys, live = Keys(namespace), current(client, namespace)
    encoded = encode_id(item)
    if "available" in changes:
        change = client.srem if changes["available"] else client.sadd
        change(keys.unavailable, item)
        tell(client, namespace, "masks")
    served = [live.generation] if live else []
    served += [live.canary.generation] if live and live.canary else []
    n_set = sum(_merge(client, keys.item(at, item), changes) for at in served)
    tell(client, namespace, f"item:{encoded}")
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
