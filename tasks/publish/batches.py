"""A generation's entries as batches of bounded size."""

from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass

import numpy as np

from tasks.publish.keyspace import Entries


@dataclass(frozen=True)
class Batch:
    """Entries that are on their way together, in order; those of one family side by side."""

    parts: list[Entries]

    @property
    def counts(self) -> Counter[str]:
        """Keys a family."""
        counts: Counter[str] = Counter()
        for part in self.parts:
            counts[part.family] += len(part)
        return counts

    @property
    def n_bytes(self) -> int:
        """Bytes of keys and values."""
        return sum(part.keys.n_bytes + part.values.n_bytes for part in self.parts)


def cut(entries: Iterable[Entries], max_keys: int, max_bytes: int) -> Generator[Batch, None, None]:
    """Group entries, in order, so that neither their number nor their bytes pass the bounds.

    An entry that is larger than `max_bytes` goes alone.
    """
    batch: list[Entries] = []
    n_keys = n_bytes = 0
    for bulk in entries:
        ends = np.cumsum(bulk.keys.lengths + bulk.values.lengths)
        start = before = 0
        while start < len(bulk):
            fitting = int(np.searchsorted(ends, before + max_bytes - n_bytes, side="right"))
            stop = max(min(fitting, start + max_keys - n_keys), start)
            if not batch:
                stop = max(stop, start + 1)
            if stop > start:
                batch.append(bulk.slice(start, stop))
                n_keys += stop - start
                n_bytes += int(ends[stop - 1]) - before
                start, before = stop, int(ends[stop - 1])
            if start < len(bulk):
                yield Batch(batch)
                batch, n_keys, n_bytes = [], 0, 0
    if batch:
        yield Batch(batch)
