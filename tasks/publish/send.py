"""Write a generation's keys to Redis in batches of bounded size, and read them back.

A digest is updated in each direction.
"""

import os
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from redis import Redis

from nightshelf.client.transport.cluster import ClusterClient
from tasks.errors import VerificationError
from tasks.io.byte_strings import ByteStrings
from tasks.io.parallel import parallel_map
from tasks.publish.cluster_lines import ClusterLines, cluster_lines
from tasks.publish.connection import MGET_KEYS, Line, carried, getting, setting, wire
from tasks.publish.keyspace import Digest, Entries, Family
from tasks.publish.replies import Gone

#: Connections to one server, or to the masters of a cluster.
Lines = Sequence[Line] | ClusterLines


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


@contextmanager
def opened(client: Redis, n_connections: int) -> Iterator[Lines]:
    """Lend connections to write and read back over: `n_connections`, or one to each master."""
    if isinstance(client, ClusterClient):
        with cluster_lines(client) as lines:
            yield lines
        return
    with wire(client, n_connections) as several:
        yield several


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


def encoded(
    rows: Iterable[tuple[Family, Iterable[pa.RecordBatch]]],
) -> Generator[Entries, None, None]:
    """Yield rows of families as keys and values, in order.

    One core is Redis's and one is that of whoever sends; threads on the others work ahead. Where
    there are no others, a thread would only keep Redis waiting for its core.
    """
    pieces = ((family, batch) for family, batches in rows for batch in batches)
    n_threads = (os.cpu_count() or 1) - 2
    if n_threads < 1:
        return (family.encode(batch) for family, batch in pieces)
    return parallel_map(lambda piece: piece[0].encode(piece[1]), pieces, n_threads)


def written(
    lines: Lines,
    entries: Generator[Entries, None, None],
    digest: Digest,
    ttl_s: int,
    max_keys: int,
    max_bytes: int,
) -> Generator[Batch, None, None]:
    """Write entries, and yield each batch, in order, once Redis has taken it; `entries` is closed.

    Redis has the next batch at hand when it is done with one.
    """

    def digested() -> Generator[Batch, None, None]:
        for batch in cut(entries, max_keys, max_bytes):
            for part in batch.parts:
                digest.add_all(part.keys, part.values)
            yield batch

    with closing(entries):
        if isinstance(lines, ClusterLines):
            yield from _written_to(lines, digested(), ttl_s)
            return
        for batch, _ in carried(
            lines, digested(), lambda batch, room: setting(batch.parts, ttl_s, room)
        ):
            yield batch


def _written_to(
    lines: ClusterLines, batches: Iterable[Batch], ttl_s: int
) -> Generator[Batch, None, None]:
    """Write batches to the masters of a cluster, and yield each once all its parts are taken."""
    waiting: deque[Batch] = deque()

    def parts() -> Generator[Entries, None, None]:
        for batch in batches:
            waiting.append(batch)
            yield from batch.parts

    for part in lines.set(parts(), ttl_s):
        if part is waiting[0].parts[-1]:
            yield waiting.popleft()


def read_again(
    lines: Lines, family: Family, ids: Iterable[pa.Array], digest: Digest
) -> Generator[int, None, None]:
    """Read the values of ids into a digest, and yield how many keys each reply held.

    Raises `VerificationError` for a key that is missing.
    """

    def asked() -> Generator[ByteStrings, None, None]:
        for keys in map(family.keys_of, ids):
            for start in range(0, len(keys), MGET_KEYS):
                yield keys.slice(start, start + MGET_KEYS)

    try:
        found = (
            lines.get(asked())
            if isinstance(lines, ClusterLines)
            else carried(lines, asked(), lambda keys, _: getting(keys))
        )
        for keys, values in found:
            digest.add_all(keys, values)
            yield len(keys)
    except Gone as gone:
        raise VerificationError(
            f"{gone} is gone right after it was written; the live generation is untouched. "
            "Look at maxmemory and maxmemory-policy: an allkeys-* or volatile-* policy evicts "
            "in silence."
        ) from None
