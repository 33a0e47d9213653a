"""Sample a generation's keys within bounds: number, times to live and sizes.

Redis walks its keys in the order of their hashes, so that a part of the walk is as good as a random
sample.
"""

import math
import time
from dataclasses import dataclass

from redis import Redis
from redis.utils import str_if_bytes

from nightshelf.admin.batches import BATCH_KEYS, batched
from nightshelf.contract.keys import KeyFamily, family_in

#: A big server's whole walk would take minutes.
_MAX_BATCHES = 100
_MAX_WALK_S = 3.0
#: Keys whose time to live is read, and keys a family whose memory is.
_LIVES = 2_000
_SIZES = 200


@dataclass(frozen=True)
class Sample:
    """Keys of one generation by family, found in a `share` (0 to 1) of the database."""

    families: dict[str, list[str]]
    share: float

    @property
    def n_keys(self) -> int:
        """Number of keys found."""
        return sum(map(len, self.families.values()))

    def spread(self, n: int) -> list[str]:
        """Return up to `n` of the keys, from all families in proportion."""
        every = [key for keys in self.families.values() for key in keys]
        return every[:: max(1, -(-len(every) // n))]


def walk(
    client: Redis,
    every: KeyFamily,
    n_total: int,
    *,
    max_batches: int = _MAX_BATCHES,
    min_share: float = 0.0,
) -> Sample:
    """Collect keys of a generation (`Keys.generation`), of `n_total` in the database.

    The walk ends after `max_batches`, or once `min_share` (0 to 1) of the database was scanned if
    that takes longer; after three seconds in any case.
    """
    families: dict[str, dict[str, None]] = {}  # a walk may meet a key twice
    cursor, n_batches, began = 0, 0, time.monotonic()
    n_steps = max(max_batches, math.ceil(min(min_share, 1.0) * n_total / BATCH_KEYS) + 1)
    while n_batches < n_steps and time.monotonic() - began < _MAX_WALK_S:
        cursor, found = client.scan(cursor, match=every.pattern, count=BATCH_KEYS)
        n_batches += 1
        for key in map(str_if_bytes, found):
            families.setdefault(family_in(key), {})[key] = None
        if cursor == 0:
            break
    share = 1.0 if cursor == 0 else min(1.0, n_batches * BATCH_KEYS / max(n_total, 1))
    return Sample({name: list(families[name]) for name in sorted(families)}, share)


def lives_ms(client: Redis, sample: Sample) -> list[int]:
    """Return some keys' remaining TTLs; -1: without TTL, -2: expired."""
    found: list[int] = []
    for keys in batched(sample.spread(_LIVES)):
        with client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.pttl(key)
            found += pipe.execute()
    return found


def key_bytes(client: Redis, sample: Sample) -> dict[str, float]:
    """Return the mean memory of a key with its value, by family."""
    means = {}
    for family, keys in sample.families.items():
        with client.pipeline(transaction=False) as pipe:
            for key in keys[:_SIZES]:
                pipe.memory_usage(key)
            sizes = [size for size in pipe.execute() if size]
        if sizes:
            means[family] = sum(sizes) / len(sizes)
    return means
