"""A generation's keys on their way to Redis and back again, each way into a digest."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import TypeVar

import pyarrow as pa

from tasks.ahead import ahead
from tasks.batches import Batch, cut
from tasks.encode import Digest, Entries, Family
from tasks.errors import VerificationError
from tasks.replies import Gone
from tasks.texts import Texts
from tasks.wire import Wire

R = TypeVar("R")


def encoded(
    rows: Iterable[tuple[Family, Iterable[pa.RecordBatch]]],
) -> Generator[Entries, None, None]:
    """Yield rows of families as keys and values, in order, made in threads ahead of their use.

    One core is left to Redis and to what is sent: on two, a second thread would only delay them.
    """
    pieces = ((family, batch) for family, batches in rows for batch in batches)
    n_threads = max(1, (os.cpu_count() or 1) - 1)
    return ahead(lambda piece: piece[0].encode(piece[1]), pieces, n_threads)


def written(
    redis: Wire,
    entries: Generator[Entries, None, None],
    digest: Digest,
    ttl_s: int,
    max_keys: int,
    max_bytes: int,
) -> Generator[Batch, None, None]:
    """Write entries, and yield each batch, in order, once Redis has taken it; `entries` is closed.

    Each connection carries a batch at a time, so that Redis need not wait for the next.
    """

    def write(batch: Batch) -> Batch:
        redis.write(batch.parts, ttl_s)
        return batch

    def digested() -> Generator[Batch, None, None]:
        for batch in cut(entries, max_keys, max_bytes):
            for part in batch.parts:
                digest.add_all(part.keys, part.values)
            yield batch

    with closing(entries), closing(ahead(write, digested(), redis.n)) as batches:
        yield from batches


def read_again(
    redis: Wire,
    family: Family,
    ids: Iterator[pa.Array],
    digest: Digest,
    decode: Callable[[pa.Array, Texts], R],
) -> Generator[R, None, None]:
    """Yield what `decode` makes of ids, an array at a time as they are given, and their values.

    Each connection asks for an array at a time, and what it brings is decoded in its thread.
    Raises `VerificationError` for a key that is missing.
    """

    def read(some: pa.Array) -> tuple[Texts, Texts, R]:
        keys = family.keys_of(some)
        values = _found(redis, keys)
        return keys, values, decode(some, values)

    with closing(ahead(read, (some for some in ids), redis.n)) as pieces:
        for keys, values, decoded in pieces:
            digest.add_all(keys, values)
            yield decoded


def _found(redis: Wire, keys: Texts) -> Texts:
    try:
        return redis.values_of(keys)
    except Gone as gone:
        raise VerificationError(
            f"{gone} is gone right after it was written; the live generation is untouched. "
            "Look at maxmemory and maxmemory-policy: an allkeys-* or volatile-* policy evicts "
            "in silence."
        ) from None
