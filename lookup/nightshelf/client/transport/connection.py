"""The way to Redis for a read path: quick to give up, and silent about passwords."""

from typing import Any

from redis import BlockingConnectionPool, Redis
from redis import asyncio as aio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from nightshelf.client.transport.redis_url import check_url

#: What a page can wait for a list. The client's own defaults are seconds, retried.
READ_TIMEOUT_S = 0.05
#: A Redis that is gone, slow, loading, full or barred (the last: bytes that are no text).
FAILURES = (RedisError, OSError, UnicodeDecodeError)


def connect(url: str, *, timeout_s: float = READ_TIMEOUT_S) -> Redis:
    """Return a client that waits `timeout_s` for a connection or an answer, and tries once.

    Threads share its 50 connections; `ValueError` where no client can be made of `url`. Resolving
    a host's name is the system's own time.
    """
    retry = Retry(NoBackoff(), 0)
    return Redis.from_pool(_pool(BlockingConnectionPool, url, timeout_s, retry))


def connect_async(url: str, *, timeout_s: float = READ_TIMEOUT_S) -> "aio.Redis":
    """Return what `connect` does, for asyncio."""
    retry = AsyncRetry(NoBackoff(), 0)
    return aio.Redis.from_pool(_pool(aio.BlockingConnectionPool, url, timeout_s, retry))


def _pool(kind: Any, url: str, timeout_s: float, retry: object) -> Any:
    check_url(url)
    return kind.from_url(
        url,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=retry,
        protocol=2,  # RESP3 lets a server in maintenance relax the timeouts to 10 s
        driver_info=None,  # a greeting less, two round trips, on every new connection
    )


def check_client(client: "Redis | aio.Redis") -> None:
    """Raise `ValueError` where a client of the app's own can make no connection at all.

    redis-py looks at most of its options when it first connects; a read would raise `TypeError`.
    """
    pool: Any = client.connection_pool
    try:
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError, RedisError) as error:
        raise ValueError(f"this Redis client cannot make a connection: {error}") from None


def deadline_s(client: "Redis | aio.Redis") -> float:
    """Return what a client was told to wait for an answer, `READ_TIMEOUT_S` if nothing."""
    timeout_s: float | None = client.connection_pool.connection_kwargs.get("socket_timeout")
    return timeout_s or READ_TIMEOUT_S


def address(client: "Redis | aio.Redis") -> str:
    """Return host:port/db, or a socket's path; never credentials."""
    at = client.connection_pool.connection_kwargs
    place = at.get("path") or f"{at.get('host', 'localhost')}:{at.get('port', 6379)}"
    return f"{place}/{at.get('db', 0)}"
