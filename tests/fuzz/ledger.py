"""The events Redis has taken, and the keys it must hold after that, by the contract."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from redis import Redis

from nightshelf.contract.keys import Keys, parse
from tests.lookup.shelves import SHOP

KEYS = Keys(SHOP)
READS = {"get", "mget", "smembers", "zrange", "hgetall", "xlen"}
TELLS = {"xadd", "zadd", "zremrangebyrank", "expire", "hincrby", "publish"}
#: What a connection is made and a listener kept with, and what is asked here.
_AROUND = {"subscribe", "ping", "config", "info", "scan", "dump", "xrange"}
_MASKING = {"purchase", "rating"}
_MASKING_NOTHING = {"view", "impression", "click"}

Fields = Mapping[str, Any]


def keys_of(client: Redis) -> set[str]:
    """Return every key of the database."""
    return {key.decode("utf-8", "surrogateescape") for key in client.scan_iter(count=1_000)}


def _is_ours(key: str) -> bool:
    parsed = parse(key)
    return parsed is not None and parsed.namespace == SHOP


class Ledger:
    """The keys of the start, and the events that Redis has acknowledged since."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._before = self._values(keys_of(client))
        self._tracked: Counter[frozenset[tuple[str, str]]] = Counter()
        self._made: set[str] = set()
        client.config_resetstat()

    def took(self, fields: Fields) -> None:
        """Note an event that was recorded; fields that are `None` are not there."""
        event = {name: str(value) for name, value in fields.items() if value is not None}
        self._tracked[frozenset(event.items())] += 1
        self._made.add(KEYS.events)
        kind = event["event_type"]
        if kind in _MASKING and "item_id" in event:
            self._made.add(KEYS.masked(event["user_id"]))
        counts = kind != "impression" and "item_id" in event
        if counts and 0 <= float(event.get("value", 0)) <= 1e12:
            self._made |= {KEYS.recent(event["user_id"]), KEYS.recent_item(event["item_id"])}
        if kind not in _MASKING_NOTHING:
            self._made.add(KEYS.refresh_queue)

    def findings(self) -> list[str]:
        """Return what Redis holds, or has done, that it should not."""
        stats = self._client.info("commandstats")
        keys = keys_of(self._client)
        after = self._values(self._before.keys() & keys)
        entries = self._entries()
        allowed = READS | _AROUND | (TELLS if self._tracked else set())
        return [
            *(f"no key of the contract: {key!r}" for key in keys if not _is_ours(key)),
            *(f"changed: {key!r}" for key, was in self._before.items() if after.get(key) != was),
            *(f"unexpected key: {key!r}" for key in keys - self._before.keys() - self._made),
            *(f"missing: {key!r}" for key in self._made - keys),
            *(f"not tracked: {set(entry)}" for entry in entries - self._tracked),
            *(f"not in the stream: {set(entry)}" for entry in self._tracked - entries),
            *_strange(stats, allowed, self._tracked.total()),
        ]

    def words(self) -> str:
        """Say what is there."""
        made = len(keys_of(self._client) - self._before.keys())
        return f"{self._tracked.total():,} events, all as tracked; {made:,} keys made, all expected"

    def _values(self, keys: set[str]) -> dict[str, bytes | None]:
        return {key: self._client.dump(key) for key in keys}

    def _entries(self) -> Counter[frozenset[tuple[str, str]]]:
        """Return the stream's entries, without their times once these are seen to be some."""
        found: Counter[frozenset[tuple[str, str]]] = Counter()
        stream: Any = self._client.xrange(KEYS.events)
        for _, raw in stream:
            entry = {name.decode(): value.decode() for name, value in raw.items()}
            tracked_at = datetime.fromisoformat(entry.pop("ts"))
            assert tracked_at.isoformat().endswith("+00:00")
            found[frozenset(entry.items())] += 1
        return found


def _strange(stats: Mapping[str, Any], allowed: set[str], n_events: int) -> list[str]:
    """Return the commands that nobody should have sent, or not so often, or that Redis refused."""
    found = []
    for name, about in stats.items():
        command = name.removeprefix("cmdstat_").partition("|")[0]
        if command not in allowed or about["failed_calls"] or about["rejected_calls"]:
            found.append(f"command {command}: {about}")
    if (ran := stats.get("cmdstat_xadd", {"calls": 0})["calls"]) != n_events:
        found.append(f"command xadd: {ran} calls for {n_events} events")
    return found
