"""Exchange over a connection: each call gets its own replies in time, or none."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from subprocess import run
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import BlockingConnectionPool, Redis
from redis import asyncio as aio
from redis.cache import CacheConfig
from redis.connection import CacheProxyConnection
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import InvalidResponse, NoPermissionError, ResponseError

from nightshelf.client.core.failures import FAILURES
from nightshelf.client.transport.connection import connect, connect_async
from nightshelf.client.transport.exchange import ask, ask_async
from nightshelf.client.transport.kept_connections import KeptConnection
from tests.faults.proxy import cutting

Asks = Callable[..., list[Any]]


def unconnected() -> Any:
    return Redis().connection_pool.make_connection()


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


@pytest.fixture
def asks_of(kind: str) -> Iterator[Callable[..., Asks]]:
    """Opens clients of a kind, each as a function that asks, and waits `within_s` at most."""
    runner = asyncio.Runner()
    closing_down: list[Callable[[], Any]] = []

    def open_one(url: str, **changes: Any) -> Asks:
        if kind == "threads":
            client = Redis.from_url(url, **changes) if changes else connect(url, timeout_s=5)
            closing_down.append(client.close)
            return lambda *batch, within_s=5.0: ask(client, [*batch], time.monotonic() + within_s)
        other = aio.Redis.from_url(url, **changes) if changes else connect_async(url, timeout_s=5)
        closing_down.append(lambda: runner.run(other.aclose()))

        async def ask_later(batch: list[Any], within_s: float) -> list[Any]:
            for _ in range(3):  # turns in which the loop hears what has come meanwhile
                await asyncio.sleep(0)
            return await ask_async(other, batch, time.monotonic() + within_s)

        return lambda *batch, within_s=5.0: runner.run(ask_later([*batch], within_s))

    try:
        yield open_one
    finally:
        for close in closing_down:
            close()
        runner.close()


def test_replies_come_in_order_refusals_among_them(
    redis_url: str, redis_client: Redis, asks_of: Callable[..., Asks]
) -> None:
    redis_client.set("a", b"\xff\x00")
    redis_client.set("long", b"x" * 300_000)
    asks = asks_of(redis_url)
    first, refused, long, missing = asks(
        ("GET", "a"), ("LPUSH", "a", 1), ("MGET", "long", "none"), ("GET", "none")
    )
    assert (first, long, missing) == (b"\xff\x00", [b"x" * 300_000, None], None)
    assert isinstance(refused, ResponseError)
    assert "WRONGTYPE" in str(refused)


def test_a_connection_is_used_again(redis_url: str, asks_of: Callable[..., Asks]) -> None:
    asks = asks_of(redis_url)
    assert len({tuple(asks(("CLIENT", "ID"))) for _ in range(5)}) == 1


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_connection_that_is_cut_within_a_reply_is_thrown_away(
    own_redis_url: str, own_redis_client: Redis, asks_of: Callable[..., Asks], share: float
) -> None:
    own_redis_client.set("long", b"x" * 100_000)
    own_redis_client.set("short", b"y")
    with cutting(port_of(own_redis_url)) as proxy:
        asks = asks_of(f"redis://127.0.0.1:{proxy.port}/0")
        proxy.cuts = [100 + int(share * 100_000)]
        with pytest.raises(NoConnection):
            while True:  # the first bytes are those of the log-in
                asks(("GET", "long"))
        assert proxy.n_cut == 1
        assert asks(("GET", "short"), ("GET", "long")) == [b"y", b"x" * 100_000]


def test_a_reply_that_comes_late_is_never_the_next_calls(
    own_redis_url: str, own_redis_client: Redis, asks_of: Callable[..., Asks]
) -> None:
    own_redis_client.set("a", "first")
    own_redis_client.set("b", "second")
    asks = asks_of(own_redis_url)
    for _ in range(3):
        (was,) = asks(("CLIENT", "ID"))
        own_redis_client.client_pause(150, all=True)
        with pytest.raises(FAILURES):
            asks(("GET", "a"), within_s=0.03)
        assert asks(("GET", "b")) == [b"second"]
        assert asks(("CLIENT", "ID")) != [was]


def test_what_the_server_has_closed_meanwhile_is_no_failure(
    own_redis_url: str, own_redis_client: Redis, asks_of: Callable[..., Asks]
) -> None:
    asks = asks_of(own_redis_url)
    (was,) = asks(("CLIENT", "ID"))
    own_redis_client.client_kill_filter(_id=str(was))
    assert asks(("PING",), ("CLIENT", "ID"))[1] != was


def test_no_time_is_no_question(redis_url: str, asks_of: Callable[..., Asks]) -> None:
    asks = asks_of(redis_url)
    with pytest.raises(FAILURES):
        asks(("SET", "asked", 1), within_s=0.0)
    assert asks(("EXISTS", "asked")) == [0]


def test_threads_have_their_own_replies(redis_url: str, redis_client: Redis) -> None:
    redis_client.mset({f"key:{at}": f"value {at}" for at in range(64)})
    with closing(connect(redis_url, timeout_s=5)) as client, ThreadPoolExecutor(16) as pool:

        def read(at: int) -> bool:
            key = f"key:{at % 64}"
            until = time.monotonic() + 5
            return ask(client, [("ECHO", key), ("GET", key)], until) == [
                key.encode(),
                f"value {at % 64}".encode(),
            ]

        assert all(pool.map(read, range(2_000)))


def test_tasks_have_their_own_replies(redis_url: str) -> None:
    async def read(client: aio.Redis, at: int) -> bool:
        return await ask_async(client, [("ECHO", at)], time.monotonic() + 5) == [b"%d" % at]

    async def read_all() -> list[bool]:
        async with connect_async(redis_url, timeout_s=5) as client:
            return await asyncio.gather(*(read(client, at) for at in range(500)))

    assert all(asyncio.run(read_all()))


def test_a_cancelled_call_leaves_nothing_behind(
    own_redis_url: str, own_redis_client: Redis
) -> None:
    async def cancelled_then_asked() -> list[Any]:
        async with connect_async(own_redis_url, timeout_s=5) as client:
            until = time.monotonic() + 5
            await ask_async(client, [("PING",)], until)
            await ask_async(client, [("CLIENT", "PAUSE", 200, "ALL")], until)
            waiting = asyncio.create_task(ask_async(client, [("ECHO", "old")], until))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return await ask_async(client, [("ECHO", "new")], until)

    assert asyncio.run(cancelled_then_asked()) == [b"new"]


FORKS = """
import os, sys, time
from nightshelf.client.transport.connection import connect
from nightshelf.client.transport.exchange import ask

client = connect(sys.argv[1], timeout_s=5)
whose = lambda: ask(client, [("CLIENT", "ID")], time.monotonic() + 5)[0]
before = whose()
if os.fork() == 0:
    print(whose(), flush=True)
    os._exit(0)
os.wait()
print(before, whose())
"""


def test_a_child_has_connections_of_its_own(redis_url: str) -> None:
    done = run([sys.executable, "-c", FORKS, redis_url], capture_output=True, check=True, text=True)
    child, before, after = map(int, done.stdout.split())
    assert child != before
    assert after == before, "the parent's is as it was"


def test_a_small_pool_is_left_to_its_client(redis_url: str) -> None:
    """A pool of few connections keeps none, and each has its own timeout again."""
    pool: Any = BlockingConnectionPool.from_url(
        redis_url, max_connections=1, timeout=0.1, socket_timeout=3
    )
    with closing(Redis.from_pool(pool)) as client:
        for _ in range(3):
            assert ask(client, [("ECHO", "a")], time.monotonic() + 1) == [b"a"]
            assert client.ping()
        connection = pool.get_connection()
        assert connection._sock.gettimeout() == 3
        pool.release(connection)


def test_a_client_that_was_closed_connects_again(redis_url: str) -> None:
    client = connect(redis_url, timeout_s=5)
    (was,) = ask(client, [("CLIENT", "ID")], time.monotonic() + 5)
    client.close()
    assert ask(client, [("CLIENT", "ID")], time.monotonic() + 5) != [was]
    client.close()


def test_a_client_that_is_closed_by_another_thread_is_a_lost_connection(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "nightshelf.client.transport.exchange.acquire", lambda pool: KeptConnection(unconnected())
    )
    with closing(Redis.from_url(redis_url)) as client, pytest.raises(NoConnection):
        ask(client, [("PING",)], time.monotonic() + 5)


def test_what_the_server_says_unasked_is_no_reply(
    redis_url: str, redis_client: Redis, asks_of: Callable[..., Asks]
) -> None:
    redis_client.set("tracked", 1)
    asks = asks_of(redis_url, protocol=3)
    assert asks(("CLIENT", "TRACKING", "ON"), ("GET", "tracked")) == [b"OK", b"1"]
    assert asks(("SET", "tracked", 2), ("GET", "tracked"), ("ECHO", "x")) == [b"OK", b"2", b"x"]
    redis_client.set("tracked", 3)
    assert asks(("GET", "tracked"), ("ECHO", "y")) == [b"3", b"y"]


def test_a_cache_of_the_clients_own_hears_what_has_changed(
    redis_url: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = redis_client.info("server")
    if "valkey_version" not in server and server["redis_version"] < "7.4":
        pytest.skip("redis-py has a cache of the client's own from Redis 7.4 on")
    if "valkey_version" in server:
        monkeypatch.setattr(CacheProxyConnection, "DEFAULT_SERVER_NAME", "valkey")  # it can as well
    pool = BlockingConnectionPool.from_url(
        redis_url, protocol=3, max_connections=2, cache_config=CacheConfig()
    )
    with closing(Redis.from_pool(pool)) as client:
        for value in (b"1", b"2", b"3"):
            redis_client.set("theirs", value)
            assert ask(client, [("ECHO", "x")], time.monotonic() + 5) == [b"x"]
            assert client.get("theirs") == value


ENCODED = b"+OK\r\n*2\r\n$3\r\na\r\n\r\n$-1\r\n-NOPERM no\r\n:7\r\n$0\r\n\r\n"


@given(cuts=st.lists(st.integers(0, len(ENCODED)), max_size=6))
def test_replies_are_the_same_however_their_bytes_come(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts) - {0, len(ENCODED)}), len(ENCODED)]
    line, replies = KeptConnection(unconnected()), list[Any]()
    whole = [line.feed(ENCODED[start:end], replies, 5) for start, end in pairwise(edges)]
    assert whole == [False] * (len(whole) - 1) + [True]
    ok, pair, refused, seven, empty = replies
    assert (ok, pair, seven, empty) == (b"OK", [b"a\r\n", None], 7, b"")
    assert isinstance(refused, NoPermissionError)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NoConnection),
        (b"+OK\r\n+OK\r\n", InvalidResponse),
        (b"!what\r\n", InvalidResponse),
        (b"-LOADING the dataset\r\n", NoConnection),
        (b"-NOAUTH Authentication required.\r\n", NoConnection),
    ],
)
def test_what_is_no_reply_is_reported(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        KeptConnection(unconnected()).feed(data, [], 1)
