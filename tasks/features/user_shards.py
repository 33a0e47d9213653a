"""Shards of a log's users, by a hash of the id: a log too large to add up at once is added up so.

A shard has all events of its users, so that their totals follow from it alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from zlib import crc32

import numpy as np
import pyarrow as pa

from tasks.io.columns import USER_ID
from tasks.io.memory import memory_bytes

#: Bytes that adding up takes for each event at its peak: `python -m benchmarks.shards`.
_BYTES_AN_EVENT = 80
#: More would be files of a few users each.
_MAX_SHARDS = 256


@dataclass(frozen=True)
class Shard:
    """The users whose hash, modulo `of`, is `number`."""

    number: int = 0
    of: int = 1

    @property
    def all(self) -> list["Shard"]:
        """All shards of the log."""
        return [Shard(number, self.of) for number in range(self.of)]

    @property
    def name(self) -> str:
        """Text for addresses of files; empty for the whole log."""
        return f"users {self.number} of {self.of}" if self.of > 1 else ""


def shards_of(n_events: int) -> list[Shard]:
    """Return as many shards as keep each of them within the memory of the settings.

    The number is a power of two, so that it seldom changes from night to night.
    """
    needed = ceil(n_events * _BYTES_AN_EVENT / memory_bytes())
    n = min(1 << max(0, needed - 1).bit_length(), _MAX_SHARDS)
    return Shard(of=n).all


def split(events: pa.Table, shards: Sequence[Shard]) -> Iterator[pa.Table]:
    """Yield the events of the users of each shard; `user_id` is dictionary-encoded."""
    if shards == [Shard()]:
        yield events
        return
    users = events.column(USER_ID).unify_dictionaries().combine_chunks()
    hashes = map(crc32, users.dictionary.cast(pa.binary()).to_pylist())
    of_user = np.fromiter(hashes, np.uint32, len(users.dictionary))[users.indices.to_numpy()]
    for shard in shards:
        yield events.filter(pa.array(of_user % shard.of == shard.number))
