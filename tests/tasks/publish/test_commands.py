"""Commands, times to live and what is hashed, in bulk: as redis-py and the contract make each."""

from itertools import chain
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from nightshelf.contract.keys import key_ttl_s
from tasks.io.byte_strings import Buffer, ByteStrings
from tasks.publish.commands import mget_command, set_commands, ttls_of
from tasks.publish.keyspace import Digest, Entries
from tasks.publish.send import cut

PREFIX = "shelf:shop:7:"
BYTES = st.binary(max_size=40) | st.sampled_from(
    [b"", b"\r\n", b"*1\r\n$8\r\nFLUSHALL\r\n", b"x" * 12_345]
)
KEYS = st.text(max_size=20).map(lambda tail: (PREFIX + tail).encode())
PAIRS = st.lists(st.tuples(KEYS, BYTES), max_size=8)
Pairs = list[tuple[bytes, bytes]]


def bulk(pairs: Pairs, family: str = "list") -> Entries:
    return Entries(family, *(ByteStrings.of([pair[at] for pair in pairs]) for at in (0, 1)))


def as_redis_py(*arguments: bytes) -> bytes:
    connection: Any = Redis().connection_pool.make_connection()
    return b"".join(connection.pack_command(*arguments))


@given(PAIRS, st.integers(0, 8), st.integers(1, 10**10))
def test_set_commands(pairs: Pairs, at: int, ttl_s: int) -> None:
    room, commands = Buffer(), np.empty(0, np.uint8)
    for part in (bulk(pairs[:at]), bulk(pairs).slice(min(at, len(pairs)), len(pairs))):
        ttls_s = np.full(len(part), ttl_s)
        commands = set_commands(part.keys, part.values, ttls_s, room, len(commands))
    assert commands.tobytes() == b"".join(
        as_redis_py(b"SET", key, value, b"EX", b"%d" % ttl_s) for key, value in pairs
    )


@given(PAIRS)
def test_the_mget_command(pairs: Pairs) -> None:
    assert mget_command(bulk(pairs).keys) == as_redis_py(b"MGET", *(key for key, _ in pairs))


@given(PAIRS, st.integers(1, 10**8), st.sampled_from(["list", "popular", "item"]))
def test_times_to_live(pairs: Pairs, base_ttl_s: int, family: str) -> None:
    wanted = [key_ttl_s(family, key.decode(), base_ttl_s) for key, _ in pairs]
    assert ttls_of(family, bulk(pairs).keys, base_ttl_s).tolist() == wanted


@given(PAIRS, st.integers(0, 8))
def test_the_digest_in_bulk(pairs: Pairs, at: int) -> None:
    one, many = Digest(PREFIX), Digest(PREFIX)
    for key, value in pairs:
        one.add(key.decode(), value)
    for part in (bulk(pairs).slice(0, min(at, len(pairs))), bulk(pairs[at:])):
        many.add_all(part.keys, part.values)
    assert many.hexdigest() == one.hexdigest()


@given(st.lists(PAIRS, max_size=4), st.integers(1, 9), st.integers(1, 200))
def test_batches_keep_order_and_bounds(parts: list[Pairs], max_keys: int, max_bytes: int) -> None:
    batches = list(cut(map(bulk, parts), max_keys, max_bytes))
    found = [
        [pair for part in batch.parts for pair in zip(part.keys, part.values, strict=True)]
        for batch in batches
    ]
    pairs = list(chain.from_iterable(parts))
    assert list(chain.from_iterable(found)) == pairs
    sizes = [[len(key) + len(value) for key, value in batch] for batch in found]
    for batch, after in zip(sizes, [*sizes, [max_bytes + 1]][1:], strict=True):
        assert 1 <= len(batch) <= max_keys
        assert len(batch) == 1 or sum(batch) <= max_bytes
        assert len(batch) == max_keys or sum(batch) + after[0] > max_bytes
    assert [batch.n_bytes for batch in batches] == [sum(batch) for batch in sizes]


def test_a_batch_counts_its_keys_by_family() -> None:
    (batch,) = cut([bulk([(b"a", b"1")]), bulk([(b"b", b"")] * 2, "item")], 9, 99)
    assert batch.counts == {"list": 1, "item": 2}
