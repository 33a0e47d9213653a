"""Namespaces of a server with a live generation: suggestions for a misspelt name."""

from redis import Redis
from redis.exceptions import RedisError

from nightshelf.contract.keys import ANY_POINTER, parse

#: Most keys that are scanned: some 0.2 s of a server's time, in steps that hold no one up.
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
            cursor, keys = client.scan(cursor, match=ANY_POINTER, count=_STEP_KEYS)  # type: ignore[assignment]
            found |= {each.namespace for key in keys if (each := parse(key))}
            if cursor == 0 or len(found) >= _SHOWN:
                break
    except RedisError:
        return []
    return sorted(found)[:_SHOWN]
