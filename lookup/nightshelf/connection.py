"""The way to Redis for a read path: quick to give up, and silent about passwords."""

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

#: What a page can wait for a list. The client's own defaults are seconds, retried.
READ_TIMEOUT_S = 0.05
#: A Redis that is gone, slow, loading, full or barred (the last: bytes that are no text).
FAILURES = (RedisError, OSError, UnicodeDecodeError)


def connect(url: str, *, timeout_s: float = READ_TIMEOUT_S) -> Redis:
    """Return a client that waits `timeout_s` for a connection or an answer, and tries once.

    Threads share its 50 connections; `ValueError` where `url` is none. Resolving a host's name is
    the system's own time.
    """
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # RESP3 lets a server in maintenance relax the timeouts to 10 s
        )
    except ValueError:  # its text can hold part of a password
        raise ValueError(
            "not a Redis URL: expected redis://[user:password@]host:port/db, "
            "with the password percent-encoded"
        ) from None
    return Redis.from_pool(pool)


def address(client: Redis) -> str:
    """Return host:port/db, or a socket's path; never credentials."""
    at = client.connection_pool.connection_kwargs
    place = at.get("path") or f"{at.get('host', 'localhost')}:{at.get('port', 6379)}"
    return f"{place}/{at.get('db', 0)}"


def server_version(client: Redis) -> str | None:
    """Name the server and its version; `None` where this login may not ask."""
    try:
        about = client.info("server")
    except ResponseError:
        return None
    name = about.get("server_name", "redis")
    return f"{name} {about.get(f'{name}_version', about.get('redis_version', '?'))}"
