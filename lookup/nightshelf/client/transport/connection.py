"""Connections to Redis for reads: short timeouts, no retries, no passwords in messages."""

from typing import Any

from redis import BlockingConnectionPool, Redis
from redis import asyncio as aio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from nightshelf.client.transport.redis_url import check_url

#: Default deadline of a read; redis-py's own defaults are seconds, retried.
READ_TIMEOUT_S = 0.05
#: Errors of a Redis that is gone, slow, loading, full or forbidden (the last: bytes not a text).
FAILURES = (RedisError, OSError, UnicodeDecodeError)


def connect(url: str, *, timeout_s: float = READ_TIMEOUT_S) -> Redis:
    """Return a client that waits `timeout_s` for a connection or a reply, without retries.

    Threads share its 50 connections; `ValueError` for an invalid `url`. Resolving the host's name
    is not bounded.
    """
    retry = Retry(NoBackoff(), 0)
    return Redis.from_pool(_pool(BlockingConnectionPool, url, timeout_s, retry))


def connect_async(url: str, *, timeout_s: float = READ_TIMEOUT_S) -> "aio.Redis":
    """Return an asyncio client, as `connect`."""
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
        driver_info=None,  # saves two round trips on every new connection
    )


def check_client(client: "Redis | aio.Redis") -> None:
    """Raise `ValueError` where an app's own client cannot make a connection.

    redis-py checks most options when it first connects, where a read would raise `TypeError`.
    """
    pool: Any = client.connection_pool
    try:
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError, RedisError) as error:
        raise ValueError(f"this Redis client cannot make a connection: {error}") from None


def deadline_s(client: "Redis | aio.Redis") -> float:
    """Return a client's timeout for a reply, else `READ_TIMEOUT_S`."""
    timeout_s: float | None = client.connection_pool.connection_kwargs.get("socket_timeout")
    return timeout_s or READ_TIMEOUT_S


def address(client: "Redis | aio.Redis") -> str:
    """Return host:port/db or a socket's path, without credentials."""
    at = client.connection_pool.connection_kwargs
    place = at.get("path") or f"{at.get('host', 'localhost')}:{at.get('port', 6379)}"
    return f"{place}/{at.get('db', 0)}"
