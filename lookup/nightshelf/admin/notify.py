"""Notify listening clients of changes (`nightshelf.client.core.invalidation`)."""

from contextlib import suppress

from redis import Redis
from redis.exceptions import RedisError

from nightshelf.contract.keys import Keys


def notify(client: Redis, namespace: str, message: str) -> None:
    """Publish a message of the contract; if that fails, readers see the change later."""
    with suppress(RedisError, OSError):  # the change is made, and must not seem to have failed
        client.publish(Keys(namespace).invalidate, message)
