"""A tiny generation, made by hand and published with the contract alone."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from nightshelf.admin.generations import allot, current, flip, stage
from nightshelf.client.results import Result
from nightshelf.client.settings import ReadSettings
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest, RankedList
from nightshelf.errors import TransitionRefused

SHOP = "shop"
TTL_S = 3600
#: Nothing is kept in the process: every call goes to Redis.
UNKEPT = ReadSettings(max_bytes=0)


class Clock:
    """A monotonic clock set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def ids(result: Result) -> tuple[str, ...]:
    return tuple(item.item_id for item in result.items)


def ranked(*items: str, reason: tuple[str, ...] = ("taste",)) -> RankedList:
    """Rank items in the order given, scored 1, 1/2, 1/3, ..."""
    scores = tuple(round(1 / rank, 6) for rank in range(1, len(items) + 1))
    return RankedList(items, scores, (reason,) * len(items))


def values(keys: Keys, generation: int) -> dict[str, bytes]:
    """Make a generation's keys; each item's id ends in the generation that it belongs to.

    Ann has a list; Bob is in segment gold, Cid in one without a list, Dot in none, and only they
    have rows. A1, B1, C1 (ending in the generation) are the items.
    """
    a, b, c = (f"{letter}{generation}" for letter in "ABC")
    row: dict[str, str | None] = {"title": f"Lamp {generation}", "category": "Lamps"}
    lists = {
        keys.list(generation, "als", "ann"): ranked(a, b, c, reason=("because", c)),
        keys.popular(generation, "all"): ranked(b, c, a, reason=("popular", "all")),
        keys.popular(generation, "segment:gold"): ranked(c, a, reason=("popular", "segment:gold")),
        keys.popular(generation, "category:Lamps"): ranked(c, reason=("popular", "category:Lamps")),
        keys.popular(generation, "trending"): ranked(a, reason=("trending",)),
        keys.similar(generation, a): ranked(b, c, reason=("similar", a)),
    }
    rows: dict[str, dict[str, str | None]] = {
        keys.user(generation, "bob"): {"segment": "gold"},
        keys.user(generation, "cid"): {"segment": "tin"},
        keys.user(generation, "dot"): {"segment": None},
        keys.item(generation, a): row,
        keys.item(generation, c): {**row, "title": "[bold]Shade\x1b[2J"},
    }
    encoded = {key: json.dumps(value).encode() for key, value in rows.items()}
    return encoded | {key: value.to_json() for key, value in lists.items()}


def staged(
    client: Redis, generation: int | None = None, *, namespace: str = SHOP, **fields: Any
) -> int:
    """Write and stage a generation (the next one by default); return its number.

    `fields` are of its manifest.
    """
    number = generation or allot(client, namespace)
    keys = Keys(namespace)
    contents = values(keys, number)
    with client.pipeline(transaction=False) as pipe:
        for key, value in contents.items():
            pipe.set(key, value, ex=TTL_S)
        pipe.execute()
    manifest = Manifest(
        generation=number,
        as_of=(datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=number)).isoformat(),
        staged_at=datetime.now(UTC).isoformat(timespec="seconds"),
        ttl_s=TTL_S,
        counts={"list": 1, "popular": 4, "similar": 1, "user": 3, "item": 2},
        n_bytes=sum(map(len, contents.values())),
        digest=f"{number:064x}",
    )
    stage(client, namespace, replace(manifest, **fields))
    return number


def publish(
    client: Redis, generation: int | None = None, *, namespace: str = SHOP, **fields: Any
) -> Manifest:
    """Write, stage and flip a generation."""
    return flip(client, namespace, staged(client, generation, namespace=namespace, **fields))


def age(client: Redis, generation: int, by: timedelta, *, namespace: str = SHOP) -> None:
    """Make a generation staged `by` earlier than it was."""
    keys = Keys(namespace)
    value = client.hget(keys.generations, str(generation))
    assert value is not None
    manifest = Manifest.from_json(value)
    earlier = datetime.fromisoformat(manifest.staged_at) - by
    record(client, replace(manifest, staged_at=earlier.isoformat(timespec="seconds")), namespace)


def aged(client: Redis, hours: float) -> None:
    """Make the live generation, and the pointer's copy of it, one that was made hours ago."""
    manifest = current(client, SHOP)
    assert manifest is not None
    earlier = datetime.now(UTC) - timedelta(hours=hours)
    older = replace(manifest, staged_at=earlier.isoformat(timespec="seconds"))
    client.set(Keys(SHOP).current, older.to_json())
    record(client, older)


def record(client: Redis, manifest: Manifest, namespace: str = SHOP) -> None:
    """Set a generation's manifest by hand, whatever its state."""
    client.hset(Keys(namespace).generations, str(manifest.generation), manifest.to_json())


def settle(client: Redis, *, namespace: str = SHOP) -> None:
    """Make the last flip one of long ago: readers hold the pointer that is live."""
    client.hset(Keys(namespace).fence, "moved_at", 1)


def states(client: Redis, *, namespace: str = SHOP) -> dict[int, str]:
    """Return each generation's state as the hash has it."""
    fields = client.hvals(Keys(namespace).generations)
    manifests = [Manifest.from_json(value) for value in fields]
    return {manifest.generation: manifest.state for manifest in manifests}


def entries(client: Redis) -> list[dict[str, str]]:
    """Return the tracked events that wait to be collected."""
    found: list[Any] = client.xrange(Keys(SHOP).events)  # type: ignore[assignment]
    return [{k.decode(): v.decode() for k, v in fields.items()} for _, fields in found]


def live(client: Redis) -> int | None:
    manifest = current(client, SHOP)
    return manifest.generation if manifest else None


def canary(client: Redis) -> int | None:
    """Return the generation that the pointer has as a canary."""
    manifest = current(client, SHOP)
    return manifest.canary.generation if manifest and manifest.canary else None


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(TransitionRefused) as refused:
        act()
    return refused.value.reason


def assert_consistent(client: Redis) -> None:
    """One manifest says live: the pointer's, byte for byte; one is previous at most; pins hold.

    No other manifest has a canary, and the canary is staged or has been live.
    """
    keys = Keys(SHOP)
    with client.pipeline() as pipe:
        pipe.get(keys.current)
        pipe.hgetall(keys.generations)
        pipe.hget(keys.fence, "pinned")
        pointer, fields, held = pipe.execute()
    by_state: dict[str, list[bytes]] = {}
    for value in fields.values():
        by_state.setdefault(Manifest.from_json(value).state, []).append(value)
    assert by_state.get("live", []) == ([pointer] if pointer else [])
    assert len(by_state.get("previous", [])) <= 1
    assert held is None or int(held) == Manifest.from_json(pointer).generation
    manifests = [Manifest.from_json(value) for value in fields.values()]
    beside = [each for each in manifests if each.canary]
    assert {each.state for each in beside} <= {"live"}
    out = {each.canary.generation for each in beside if each.canary}
    states = {each.state for each in manifests if each.generation in out}
    assert states <= {"staged", "previous", "replaced"}
