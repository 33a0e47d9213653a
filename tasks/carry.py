"""A generation's keys on their way to Redis and back again, each way into a digest."""

from collections.abc import Generator, Iterable
from contextlib import closing

import pyarrow as pa

from tasks.ahead import ahead, beside
from tasks.batches import Batch, cut, packed
from tasks.encode import Digest, Entries, Family
from tasks.errors import VerificationError
from tasks.replies import Gone
from tasks.texts import Texts
from tasks.wire import Wire


def encoded(
    rows: Iterable[tuple[Family, Iterable[pa.RecordBatch]]],
) -> Generator[Entries, None, None]:
    """Yield rows of families as keys and values, in order, made in threads ahead of their use."""
    pieces = ((family, batch) for family, batches in rows for batch in batches)
    return ahead(lambda piece: piece[0].encode(piece[1]), pieces)


def written(
    redis: Wire,
    entries: Generator[Entries, None, None],
    digest: Digest,
    ttl_s: int,
    max_keys: int,
    max_bytes: int,
) -> Generator[Batch, None, None]:
    """Write entries, and yield each batch once Redis has taken all of it; `entries` is closed.

    Nothing of the next is sent until it is asked for; by then it is packed.
    """
    batches = packed(cut(entries, max_keys, max_bytes), digest, ttl_s, redis.n)
    with closing(entries), closing(beside(batches)) as ready:
        for batch in ready:
            redis.write(batch.shares)
            yield batch


def read_again(
    redis: Wire, family: Family, ids: Iterable[pa.Array], digest: Digest
) -> Generator[tuple[pa.Array, Texts], None, None]:
    """Yield ids, an array of them at a time as they are given, and their values as Redis has them.

    Raises `VerificationError` for a key that is missing.
    """
    with closing(beside(_fetched(redis, family, ids))) as fetched:
        for some, keys, values in fetched:
            digest.add_all(keys, values)
            yield some, values


def _fetched(
    redis: Wire, family: Family, ids: Iterable[pa.Array]
) -> Generator[tuple[pa.Array, Texts, Texts], None, None]:
    for some in ids:
        keys = family.keys_of(some)
        try:
            yield some, keys, redis.values_of(keys)
        except Gone as gone:
            raise VerificationError(
                f"{gone} is gone right after it was written; the live generation is untouched. "
                "Look at maxmemory and maxmemory-policy: an allkeys-* or volatile-* policy evicts "
                "in silence."
            ) from None
