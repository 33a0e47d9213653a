"""Telling the processes that listen what to read anew (`nightshelf.client.core.invalidation`)."""

from contextlib import suppress

from redis import Redis
from redis.exceptions import RedisError

from nightshelf.contract.keys import Keys


def tell(client: Redis, namespace: str, message: str) -> None:
    """Publish a message of the contract's; where that fails readers learn by themselves, later."""
    with suppress(
        RedisError, OSError
    ):  # what it tells of is done, and must not seem to have failed
        client.publish(Keys(namespace).invalidate, message)
