"""Incidents of the watch in Redis: read for people, and written as copies by the watch.

The watch's own state stands in its run folder (docs/decisions/0051-watch.md).
"""

from collections.abc import Iterable, Sequence

from redis import Redis

from nightshelf.contract.incident import Incident, WatchPass
from nightshelf.contract.keys import Keys

#: Ended incidents that Redis keeps.
KEPT = 200


def last_pass(client: Redis, namespace: str) -> WatchPass | None:
    """Return the last pass of the watch, or `None` where none has run."""
    value = client.get(Keys(namespace).watch)
    return WatchPass.from_json(value) if value else None


def incidents(client: Redis, namespace: str) -> list[Incident]:
    """Return the incidents: those that are open, then those that ended, the newest first."""
    values = client.hvals(Keys(namespace).incidents)
    return in_order(Incident.from_json(value) for value in values)


def in_order(found: Iterable[Incident]) -> list[Incident]:
    """Sort incidents: the open ones first, each part by its beginning, the newest first."""
    newest = sorted(found, key=lambda each: (each.since, each.id), reverse=True)
    return sorted(newest, key=lambda each: each.ended is not None)


def write_pass(client: Redis, namespace: str, done: WatchPass, changed: Sequence[Incident]) -> None:
    """Write a pass and the incidents that it changed, and delete ended ones beyond `KEPT`."""
    keys = Keys(namespace)
    client.set(keys.watch, done.to_json())
    if changed:
        client.hset(keys.incidents, mapping={each.id: each.to_json() for each in changed})
        ended = [each for each in incidents(client, namespace) if each.ended is not None]
        if old := [each.id for each in ended[KEPT:]]:
            client.hdel(keys.incidents, *old)
