"""Clients for writing to Redis."""

from contextlib import suppress

from redis import ConnectionPool, Redis, RedisError
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from nightshelf.client.transport.address import parse_address
from nightshelf.client.transport.cluster import ClusterClient
from nightshelf.client.transport.connection import address, open_client
from tasks.errors import RedisUnavailable, SettingsError
from tasks.publish.settings import PublishSettings


def connect(url: str, settings: PublishSettings) -> Redis:
    """Return a client for writing: patient, and trying again where a reader must not.

    Raises `RedisUnavailable` where `url` is none.
    """
    try:
        place = parse_address(url)
    except ValueError as error:
        raise RedisUnavailable(f"REDIS_URL: {error}") from None
    return open_client(
        place,
        ConnectionPool,
        patience_s=settings.failover_s,
        socket_timeout=settings.timeout_s,
        socket_connect_timeout=5,
        # A cluster's client tries again by itself, also another node.
        retry=Retry(NoBackoff(), 0)
        if place.kind == "cluster"
        else Retry(ExponentialBackoff(cap=2, base=0.1), 3),
    )


def refuse_cluster(client: Redis) -> None:
    """Raise `SettingsError` for a server in cluster mode that is named as a single one.

    A server that does not answer, or does not say, is left to the commands that follow.
    """
    if isinstance(client, ClusterClient):
        return
    with suppress(RedisError):
        if client.info("cluster").get("cluster_enabled"):
            raise SettingsError(
                f"REDIS_URL: the server at {address(client)} runs in cluster mode: it has a "
                "part of the keys. Name the cluster, by redis+cluster:// and some of its nodes "
                "(docs/how-to/redis-cluster-and-sentinel.md)."
            )
