"""Connections to Redis: the client of an address, and of reads with short timeouts.

No passwords stand in messages.
"""

from functools import partial
from typing import Any

from redis import BlockingConnectionPool, Redis, connection, sentinel
from redis import asyncio as aio
from redis.asyncio import connection as aio_connection
from redis.asyncio import sentinel as aio_sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import SentinelConnectionPool

from nightshelf.client.transport.address import Address, parse_address
from nightshelf.client.transport.async_cluster import AsyncClusterClient
from nightshelf.client.transport.cluster import ClusterClient
from nightshelf.client.transport.slots import Node

#: Default deadline of a read; redis-py's own defaults are seconds, retried.
READ_TIMEOUT_S = 0.05


def connect(url: str, *, timeout_s: float = READ_TIMEOUT_S) -> Redis:
    """Return a client that waits `timeout_s` for a connection or a reply, without retries.

    Threads share its 50 connections; `ValueError` for an invalid `url`. Resolving the host's name
    is not bounded.
    """
    address = parse_address(url)
    options = _options(address, timeout_s, Retry(NoBackoff(), 0))
    return open_client(address, BlockingConnectionPool, **options)


def connect_async(url: str, *, timeout_s: float = READ_TIMEOUT_S) -> "aio.Redis":
    """Return an asyncio client, as `connect`."""
    address = parse_address(url)
    options = _options(address, timeout_s, AsyncRetry(NoBackoff(), 0))
    pool: Any = aio.BlockingConnectionPool
    if address.kind == "cluster":
        return AsyncClusterClient(address.nodes, partial(_pool_at, pool, address, options))
    if address.kind == "sentinel":
        primary = _sentinel_pool(aio_sentinel, aio_connection.parse_url, address, options)
        return _OfAsyncSentinels.from_pool(primary)
    return aio.Redis.from_pool(pool.from_url(url, **options))


def open_client(address: Address, pool: Any, *, patience_s: float = 0.0, **options: Any) -> Redis:
    """Return the client of an address, with connections of these options in a pool of this kind.

    `patience_s` is how long a cluster's client asks again while a node is being replaced.
    """
    if address.kind == "cluster":
        return ClusterClient(address.nodes, partial(_pool_at, pool, address, options), patience_s)
    if address.kind == "sentinel":
        primary = _sentinel_pool(sentinel, connection.parse_url, address, options)
        return _OfSentinels.from_pool(primary)
    return Redis.from_pool(pool.from_url(address.urls[0], **options))


class _OfSentinels(Redis):
    """A client of the primary that sentinels name; closing it closes the connections to them."""

    def close(self) -> None:
        super().close()
        if isinstance(pool := self.__dict__.get("connection_pool"), SentinelConnectionPool):
            pool.sentinel_manager.close()


class _OfAsyncSentinels(aio.Redis):
    """The same for asyncio."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        pool: Any = self.connection_pool
        for each in pool.sentinel_manager.sentinels:
            await each.aclose()


def _options(address: Address, timeout_s: float, retry: object) -> dict[str, Any]:
    return _unnamed(address) | {
        "timeout": timeout_s,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": retry,
        "protocol": 2,  # RESP3 lets a server in maintenance relax the timeouts to 10 s
    }


def _unnamed(address: Address) -> dict[str, Any]:
    """Return the option that saves two round trips on every new connection: no CLIENT SETINFO.

    Not under TLS: a connection whose session tickets no reply has taken along looks to redis-py as
    if it had data, and its pool refuses it.
    """
    return {} if address.is_tls else {"driver_info": None}


def _pool_at(pool: Any, address: Address, options: dict[str, Any], node: Node) -> Any:
    return pool.from_url(address.at(node), **{"protocol": 2, **options})


def _sentinel_pool(module: Any, parse: Any, address: Address, options: dict[str, Any]) -> Any:
    """Return connections to the primary that sentinels name, by redis-py's module for them."""
    of_url = parse(address.urls[0])
    left_out = ("host", "port", "timeout", "connection_class")
    kept = {name: each for name, each in {**options, **of_url}.items() if name not in left_out}
    if address.is_tls:
        kept["ssl"] = True
    sentinels = module.Sentinel(address.nodes, sentinel_kwargs=_asking(address, options, of_url))
    return module.SentinelConnectionPool(address.service, sentinels, **kept)


def _asking(address: Address, options: dict[str, Any], of_url: dict[str, Any]) -> dict[str, Any]:
    """Return the options of connections to sentinels: all of them are tried within one timeout."""
    timeout_s = options["socket_connect_timeout"] / (len(address.nodes) + 1)
    asking = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, "protocol": 2}
    tls = {name: each for name, each in of_url.items() if name.startswith("ssl_")}
    tls |= {"ssl": True} if address.is_tls else {}
    once = {"retry": type(options["retry"])(NoBackoff(), 0)}
    return {**asking, **tls, **once, **_unnamed(address)}


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
    """Return host:port/db, a socket's path, or the hosts of a cluster, without credentials."""
    if isinstance(client, ClusterClient | AsyncClusterClient):
        return f"cluster {','.join(f'{host}:{port}' for host, port in client.nodes.seeds)}"
    pool: Any = client.connection_pool
    at = pool.connection_kwargs
    if isinstance(pool, SentinelConnectionPool | aio_sentinel.SentinelConnectionPool):
        asked: Any = (
            each.connection_pool.connection_kwargs for each in pool.sentinel_manager.sentinels
        )
        hosts = ",".join(sorted(f"{each['host']}:{each['port']}" for each in asked))
        return f"{pool.service_name} of sentinels {hosts}/{at.get('db', 0)}"
    place = at.get("path") or f"{at.get('host', 'localhost')}:{at.get('port', 6379)}"
    return f"{place}/{at.get('db', 0)}"
