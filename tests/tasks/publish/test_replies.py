"""Replies in whatever pieces they come."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import OutOfMemoryError, RedisError

from tasks.io.byte_strings import ByteStrings
from tasks.publish.replies import Gone, Inbox

OK = b"+OK\r\n"
VALUES = st.lists(st.binary(max_size=40) | st.sampled_from([b"\r\n", b"$1\r\n", b"x" * 5_000]))


class Said:
    """A socket that gives what was said to it in pieces of so many bytes, then is closed."""

    def __init__(self, said: bytes, sizes: list[int]) -> None:
        self.left, self.sizes = said, sizes

    def recv_into(self, room: bytearray) -> int:
        size = min(self.sizes.pop(0) if self.sizes else len(self.left), len(room), len(self.left))
        room[:size], self.left = self.left[:size], self.left[size:]
        return size

    def shutdown(self, how: int) -> None:
        """Do as a socket does."""

    def close(self) -> None:
        """Do as a socket does."""


def connection(said: bytes, sizes: list[int]) -> Any:
    made: Any = Redis().connection_pool.make_connection()
    made._sock = Said(said, sizes)
    return made


def received(said: bytes, sizes: list[int], n: int) -> ByteStrings:
    return Inbox(connection(said, sizes)).values(keys(n))


def keys(n: int) -> ByteStrings:
    return ByteStrings.of([b"k%d" % at for at in range(n)])


def reply(values: list[bytes | None]) -> bytes:
    return b"*%d\r\n" % len(values) + b"".join(
        b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value) for value in values
    )


@given(st.lists(VALUES, max_size=5), st.lists(st.integers(1, 50), max_size=40))
def test_replies_are_taken_in_order(asked: list[list[bytes]], sizes: list[int]) -> None:
    said = b"".join(reply([b"", *values]) + OK * len(values) for values in asked)
    inbox = Inbox(connection(said, list(sizes)))
    for values in asked:
        assert list(inbox.values(keys(len(values) + 1))) == [b"", *values]
        assert list(inbox.replies(len(values))) == [b"OK"] * len(values)
    assert not inbox


@pytest.mark.parametrize("missing", [0, 1, 2])
@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_a_key_that_is_not_there_is_named(missing: int, size: int) -> None:
    values = [None if at == missing else b"v" for at in range(3)]
    with pytest.raises(Gone, match=f"^k{missing}$"):
        received(reply(values), [size] * 99, 3)


@pytest.mark.parametrize("size", [1, 1_000])
def test_what_a_server_says_instead(size: int) -> None:
    with pytest.raises(OutOfMemoryError):
        received(b"-OOM command not allowed\r\n", [size] * 99, 3)
    pushed = b">2\r\n+server\r\n+moves\r\n" + reply([b"a", b"b", b"c"])
    assert list(received(pushed, [size] * 99, 3)) == [b"a", b"b", b"c"]


def test_what_came_behind_a_reply_is_kept() -> None:
    inbox = Inbox(connection(reply([b"a", b"b"]) + OK, []))
    assert list(inbox.values(keys(2))) == [b"a", b"b"]
    assert inbox
    inbox.clear()
    assert not inbox


@pytest.mark.parametrize(
    "said",
    [b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"$1\r\na\r\n", b"*3\r\n:1\r\n:2\r\n:3\r\n", b"?\r\n", b""],
    ids=["too few", "no array", "numbers", "no reply", "closed"],
)
def test_any_other_reply_is_an_error(said: bytes) -> None:
    with pytest.raises(RedisError):
        received(said, [], 3)
