"""A generation's entries as batches of bounded size, each as commands for several connections."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.encode import Digest, Entries
from tasks.resp import set_commands, ttls_of
from tasks.texts import Bytes
from tasks.wire import Runs


@dataclass(frozen=True)
class Batch:
    """SET commands that are on their way together: a share for each connection.

    `counts` gives keys a family; `n_bytes` are those of keys and values.
    """

    shares: list[tuple[list[Bytes], Runs]]
    counts: dict[str, int]
    n_bytes: int


def cut(entries: Iterable[Entries], max_keys: int, max_bytes: int) -> Iterator[list[Entries]]:
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
                yield batch
                batch, n_keys, n_bytes = [], 0, 0
    if batch:
        yield batch


def packed(
    batches: Iterable[Sequence[Entries]], digest: Digest, ttl_s: int, n_shares: int
) -> Generator[Batch, None, None]:
    """Turn groups of entries into commands, taking each into the digest on the way."""
    for parts in batches:
        shares: list[tuple[list[Bytes], Runs]] = [([], []) for _ in range(n_shares)]
        counts: dict[str, int] = {}
        n_bytes = 0
        for part in parts:
            digest.add_all(part.keys, part.values)
            counts[part.family] = counts.get(part.family, 0) + len(part)
            n_bytes += part.keys.n_bytes + part.values.n_bytes
            commands = set_commands(part.keys, part.values, ttls_of(part.family, part.keys, ttl_s))
            edges = np.linspace(0, len(part), n_shares + 1).astype(int)
            for (requests, runs), first, stop in zip(shares, edges, edges[1:], strict=False):
                requests.append(commands.data[commands.offsets[first] : commands.offsets[stop]])
                runs.append((part.family, int(stop - first)))
        yield Batch(shares, counts, n_bytes)
