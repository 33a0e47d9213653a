"""Replies in whatever pieces they come, against hiredis, which reads them one by one."""

from typing import Any

import hiredis
import pytest
from hypothesis import example, given
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

    def recv_into(self, room: memoryview) -> int:
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
        assert inbox.begins(OK * len(values))
    assert not inbox


@given(
    st.lists(st.sampled_from([b"OK", b"QUEUED", b"OKAY"]), max_size=9),
    st.lists(st.integers(1, 9), max_size=40),
)
def test_all_that_is_expected_is_taken_or_nothing(said: list[bytes], sizes: list[int]) -> None:
    inbox = Inbox(connection(b"".join(b"+%s\r\n" % each for each in said), list(sizes)))
    if inbox.begins(OK * len(said)):
        assert not inbox
        assert {*said} <= {b"OK"}
    else:
        assert list(inbox.replies(len(said))) == said


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


@pytest.mark.parametrize("after", [b"", b">2\r\n+server", reply([b"c"])])
def test_a_connection_that_goes_on_talking_is_left_once_read_reply_by_reply(after: bytes) -> None:
    talking = connection(b">1\r\n+moves\r\n" + reply([b"a", b"b"]) + after, [])
    assert list(Inbox(talking).values(keys(2))) == [b"a", b"b"]
    assert talking.is_connected == (not after)


def test_what_came_behind_a_reply_is_kept() -> None:
    inbox = Inbox(connection(reply([b"a", b"b"]) + OK, []))
    assert list(inbox.values(keys(2))) == [b"a", b"b"]
    assert inbox
    inbox.clear()
    assert not inbox


WHOLE = reply([b"abc", b"", b"0123456789ab"])


@given(
    st.integers(0, len(WHOLE)),
    st.binary(max_size=2) | st.sampled_from([b"$", b"*", b"1", b"-", b"\r\n", b":5"]),
    st.integers(0, 3),
    st.integers(1, 99),
)
@example(0, b"*2", 2, 99)
@example(4, b"$03", 2, 99)
@example(4, b":", 1, 99)
@example(0, WHOLE[:4] * 2, 4, 99)
def test_a_reply_that_was_altered(at: int, instead: bytes, n_gone: int, size: int) -> None:
    """The values are those that hiredis reads; else an error says what is wrong."""
    said = WHOLE[:at] + instead + WHOLE[at + n_gone :]
    reader = hiredis.Reader(replyError=RedisError)
    reader.feed(said)
    try:
        wanted = reader.gets()
    except hiredis.ProtocolError:
        wanted = None
    try:
        found = list(received(said, [size] * 99, 3))
    except (RedisError, Gone):
        return
    assert found == wanted
