"""What Redis has taken, in the contract's own words, and what it must hold after that."""

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
    """What was there when it was opened, and all that Redis has said to have taken since."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._before = self._values(keys_of(client))
        self._told: Counter[frozenset[tuple[str, str]]] = Counter()
        self._made: set[str] = set()
        client.config_resetstat()

    def took(self, fields: Fields) -> None:
        """Note an event that was recorded; fields that are `None` are not there."""
        told = {name: str(value) for name, value in fields.items() if value is not None}
        self._told[frozenset(told.items())] += 1
        self._made.add(KEYS.events)
        kind = told["event_type"]
        if kind in _MASKING and "item_id" in told:
            self._made.add(KEYS.masked(told["user_id"]))
        if kind != "impression" and "item_id" in told and 0 <= float(told.get("value", 0)) <= 1e12:
            self._made |= {KEYS.recent(told["user_id"]), KEYS.recent_item(told["item_id"])}
        if kind not in _MASKING_NOTHING:
            self._made.add(KEYS.refresh_queue)

    def findings(self) -> list[str]:
        """Return what Redis holds, or was told to do, that it should not."""
        stats = self._client.info("commandstats")
        keys = keys_of(self._client)
        after = self._values(self._before.keys() & keys)
        entries = self._entries()
        allowed = READS | _AROUND | (TELLS if self._told else set())
        return [
            *(f"no key of the contract: {key!r}" for key in keys if not _is_ours(key)),
            *(f"changed: {key!r}" for key, was in self._before.items() if after.get(key) != was),
            *(f"not told of: {key!r}" for key in keys - self._before.keys() - self._made),
            *(f"missing: {key!r}" for key in self._made - keys),
            *(f"not told: {set(entry)}" for entry in entries - self._told),
            *(f"not in the stream: {set(entry)}" for entry in self._told - entries),
            *_strange(stats, allowed, self._told.total()),
        ]

    def words(self) -> str:
        """Say what is there."""
        made = len(keys_of(self._client) - self._before.keys())
        return f"{self._told.total():,} events as they were told; {made:,} keys made, all expected"

    def _values(self, keys: set[str]) -> dict[str, bytes | None]:
        return {key: self._client.dump(key) for key in keys}

    def _entries(self) -> Counter[frozenset[tuple[str, str]]]:
        """Return the stream's entries, without their times once these are seen to be some."""
        found: Counter[frozenset[tuple[str, str]]] = Counter()
        stream: Any = self._client.xrange(KEYS.events)
        for _, raw in stream:
            entry = {name.decode(): value.decode() for name, value in raw.items()}
            told_at = datetime.fromisoformat(entry.pop("ts"))
            assert told_at.isoformat().endswith("+00:00")
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
