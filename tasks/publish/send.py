"""A generation's keys on their way to Redis and back again, each way into a digest."""

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing

import pyarrow as pa

from tasks.errors import VerificationError
from tasks.io.byte_strings import ByteStrings
from tasks.io.parallel import parallel_map
from tasks.publish.batches import Batch, cut
from tasks.publish.connection import MGET_KEYS, Line, carried, getting, setting
from tasks.publish.keyspace import Digest, Entries, Family
from tasks.publish.replies import Gone


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
    lines: Sequence[Line],
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
        for batch, _ in carried(
            lines, digested(), lambda batch, room: setting(batch.parts, ttl_s, room)
        ):
            yield batch


def read_again(
    lines: Sequence[Line], family: Family, ids: Iterable[pa.Array], digest: Digest
) -> Generator[int, None, None]:
    """Read the values of ids into a digest, and yield how many keys each reply held.

    Raises `VerificationError` for a key that is missing.
    """

    def asked() -> Generator[ByteStrings, None, None]:
        for keys in map(family.keys_of, ids):
            for start in range(0, len(keys), MGET_KEYS):
                yield keys.slice(start, start + MGET_KEYS)

    try:
        for keys, values in carried(lines, asked(), lambda keys, _: getting(keys)):
            digest.add_all(keys, values)
            yield len(keys)
    except Gone as gone:
        raise VerificationError(
            f"{gone} is gone right after it was written; the live generation is untouched. "
            "Look at maxmemory and maxmemory-policy: an allkeys-* or volatile-* policy evicts "
            "in silence."
        ) from None
