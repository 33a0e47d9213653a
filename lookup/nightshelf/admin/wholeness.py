"""Wholeness: are all keys of a generation still in Redis, by its age and by counting.

A manifest has the number of keys that a night wrote; keys may be evicted, deleted by hand, or lost
with a server's last seconds. So they are counted. A database of up to 100,000 keys is
counted in full, of a bigger one a part that is as good as a random sample: a tenth of a second
for a million users (docs/decisions/0029-clocks-and-wholeness.md).
"""

import math

from redis import Redis

from nightshelf.admin.key_sample import Sample, walk
from nightshelf.admin.namespace_state import NamespaceState, server_time
from nightshelf.admin.retention import whole_until
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from nightshelf.errors import TransitionRefused

#: A sample is walked on until so many of the generation's keys are to be expected in it.
_EVIDENCE = 1_000
#: Misses beyond what a sample's own chance explains: five standard errors, and 1 % for its steps.
_ERRORS, _SLACK = 5, 0.01
#: The families that an erased user leaves.
_OF_USERS = ("list", "user")
#: Fields of ``refreshed:<gen>``: keys beyond the night's, and the night's that were erased.
_BEYOND = ("added", "forgotten")


def whole(client: Redis, namespace: str, manifest: Manifest) -> bool:
    """Tell whether all keys of a generation stand: none can have expired, and none is missing."""
    return lack(client, namespace, manifest) is None


def refuse_unless_whole(client: Redis, state: NamespaceState, generation: int) -> None:
    """Raise `TransitionRefused` (`expired`) for a generation that is not `whole`."""
    if lacks := lack(client, state.namespace, state.find(generation)):
        raise TransitionRefused("expired", lacks)


def lack(client: Redis, namespace: str, manifest: Manifest) -> str | None:
    """Say what a generation lacks to be whole, or `None` for one that is."""
    until, number = whole_until(manifest), manifest.generation
    if manifest.retired_at:
        return f"generation {number} was cleared away at {manifest.retired_at}"
    if until is None or server_time(client) >= until:
        return f"keys of generation {number} have left Redis, or are about to"
    keys = Keys(namespace)
    if not client.exists(keys.popular(number, "all")):
        return f"keys of generation {number} have left Redis: its list for everyone is gone"
    n_beyond, n_forgotten = _beyond(client, namespace, number)
    n_keys = sum(manifest.counts.values())
    per_key = _EVIDENCE / n_keys if n_keys else 0.0
    sample = walk(client, keys.generation(number), n_in_database(client), min_share=per_key)
    missing = _missing(sample, manifest, n_beyond, n_forgotten)
    return f"keys of generation {number} have left Redis: {missing}" if missing else None


def _missing(sample: Sample, manifest: Manifest, n_added: int, n_forgotten: int) -> str | None:
    """Name a family of which more keys are missing than were erased, or than chance explains.

    All together are judged as well, as those that the refresh has added can hide missing ones.
    """
    families = dict(sorted(manifest.counts.items()))
    wanted = {
        name: (n - n_forgotten if name in _OF_USERS else n, len(sample.families.get(name, ())))
        for name, n in families.items()
    }
    n_all = sum(families.values()) + n_added - n_forgotten
    wanted["all"] = (math.floor((1 - _SLACK) * n_all), sample.n_keys)
    for name, (n, n_found) in wanted.items():
        expected = n * sample.share
        if expected - n_found > chance(expected, sample.share):
            part = "" if sample.share == 1 else f", in {sample.share:.0%} of the database"
            return f"{n_found:,} of {expected:,.0f} of family {name} are left{part}"
    return None


def chance(expected: float, share: float) -> float:
    """Return how many of the `expected` keys a walk over `share` of a database may miss.

    None, where it saw all of it.
    """
    if share == 1:
        return 0.0
    return _ERRORS * math.sqrt(expected * (1 - share)) + _SLACK * expected


def n_beyond(client: Redis, namespace: str, generation: int) -> int:
    """Return how many keys a generation has beyond the night's, less those of erased users."""
    n_added, n_forgotten = _beyond(client, namespace, generation)
    return n_added - n_forgotten


def n_in_database(client: Redis) -> int:
    """Return the number of keys in the client's database, of all namespaces together."""
    database = f"db{client.connection_pool.connection_kwargs.get('db', 0)}"
    return int(client.info("keyspace").get(database, {}).get("keys", 0))


def _beyond(client: Redis, namespace: str, generation: int) -> tuple[int, int]:
    key = Keys(namespace).refreshed(generation)
    added, forgotten = (int(client.hget(key, name) or 0) for name in _BEYOND)
    return added, forgotten
