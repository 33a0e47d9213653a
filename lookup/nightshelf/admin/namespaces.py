"""Namespaces of a server that have something live, for a name that was misspelt."""

from redis import Redis
from redis.exceptions import RedisError

from nightshelf.contract.keys import Keys
from nightshelf.errors import InvalidKey

#: Keys that are looked at, at most: some 0.2 s of a server's time, in steps that hold no one up.
_MAX_STEPS, _STEP_KEYS = 200, 1_000
_SHOWN = 10


def namespaces(client: Redis) -> list[str]:
    """Return namespaces with a pointer, in order of name; none where this login may not ask.

    A bounded walk: of a very large database it sees a part.
    """
    found: set[str] = set()
    cursor = 0
    try:
        for _ in range(_MAX_STEPS):
            keys: list[bytes]
            cursor, keys = client.scan(cursor, match="shelf:*:current", count=_STEP_KEYS)  # type: ignore[assignment]
            found |= {name for key in keys if (name := _namespace(key))}
            if cursor == 0 or len(found) >= _SHOWN:
                break
    except RedisError:
        return []
    return sorted(found)[:_SHOWN]


def _namespace(key: bytes) -> str | None:
    """Return the namespace of a pointer's key; `None` for a key of another kind."""
    name = key.decode(errors="replace").removeprefix("shelf:").removesuffix(":current")
    try:
        return Keys(name).namespace
    except InvalidKey:
        return None
