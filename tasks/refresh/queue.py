"""The refresh queue in Redis: add users, read it, and note that a generation was swept."""

from collections.abc import Collection, Mapping
from typing import Any

from redis import Redis

from nightshelf.admin.batches import batched
from nightshelf.contract.keys import FALLBACK_TTL_FACTOR, Keys, encode_id
from tasks.refresh.served_generation import ServedGeneration

#: Users a round trip: few enough to hold no reader up, some hundred kilobytes of lists.
BATCH_USERS = 100


def enqueue(client: Redis, served: ServedGeneration, users: Mapping[str, float]) -> None:
    """Add users with the time of their action (Unix seconds); leave those in the queue alone."""
    key = Keys(served.run.namespace).refresh_queue
    for batch in batched(users, BATCH_USERS):
        with client.pipeline(transaction=False) as pipe:
            pipe.zadd(key, {user: users[user] for user in batch}, nx=True)
            pipe.expire(key, FALLBACK_TTL_FACTOR * served.manifest.ttl_s)
            pipe.execute()


def queued_users(client: Redis, served: ServedGeneration, n: int) -> dict[str, float]:
    """Return the users of this generation among the `n` longest queued, with their scores.

    Entries that cannot be ids are dropped.
    """
    key = Keys(served.run.namespace).refresh_queue
    users: dict[str, float] = {}
    entries: Any = client.zrange(key, 0, n - 1, withscores=True)
    for raw, since in entries:
        try:
            user = raw.decode()
            encode_id(user)
        except ValueError:  # InvalidKey and UnicodeDecodeError among them
            client.zrem(key, raw)
            continue
        if served.serves(user):
            users[user] = float(since)
    return users


def without_list(client: Redis, served: ServedGeneration, users: Collection[str]) -> list[str]:
    """Return the users who have no list in this generation."""
    lists = Keys(served.run.namespace).lists(served.run.generation, served.manifest.default_model)
    found = []
    for batch in batched(users, BATCH_USERS):
        with client.pipeline(transaction=False) as pipe:
            for user in batch:
                pipe.exists(lists.of(user))
            found += [user for user, there in zip(batch, pipe.execute(), strict=True) if not there]
    return found


def needs_sweep(client: Redis, served: ServedGeneration) -> bool:
    """Tell whether readers were sent here since the last sweep of this generation."""
    return client.hget(served.refreshed_key, "swept") != served.moved_at


def note_sweep(client: Redis, served: ServedGeneration) -> None:
    """Note that all users who acted since the night were queued, as of the last move."""
    with client.pipeline(transaction=False) as pipe:
        pipe.hset(served.refreshed_key, "swept", served.moved_at)
        pipe.expire(served.refreshed_key, FALLBACK_TTL_FACTOR * served.manifest.ttl_s)
        pipe.execute()
