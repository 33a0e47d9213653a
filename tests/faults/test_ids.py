"""Fault 10: ids that try to be another key, another command, or no text at all."""

import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from redis import Redis

from nightshelf.contract.keys import MAX_ID_BYTES, Keys, parse
from nightshelf.errors import InvalidKey

N_IDS = 100_000
BATCH = 5_000
KEYS = Keys("shop")
#: What a key of any family ends in; the id is all that is free in it.
FAMILIES: dict[str, Callable[[str], str]] = {
    "list": lambda raw: KEYS.list(7, "als", raw),
    "model": lambda raw: KEYS.list(7, raw, "ann"),
    "user": lambda raw: KEYS.user(7, raw),
    "item": lambda raw: KEYS.item(7, raw),
    "similar": lambda raw: KEYS.similar(7, raw),
    "category": lambda raw: KEYS.popular(7, f"category:{raw}"),
    "segment": lambda raw: KEYS.popular(7, f"segment:{raw}"),
}
PIECES = [
    *"::{}{}  \t\r\n\0%%/\\*?[]^\"'",
    "\r\n",
    "\r\nFLUSHALL\r\n",
    "*1\r\n$8\r\nFLUSHALL\r\n",
    "*3\r\n$3\r\nSET\r\n$8\r\nsentinel\r\n$1\r\nx\r\n",
    "shelf:{shop}:current",
    "shelf:shop:8:list:als:{",
    "ann",
    "als:ann",
    "%3A",
    "%3a",
    "%253A",
    "%",
    "..",
    "é",
    "e\u0301",
    "\ufeff",
    "\u202e",
    "\U0010ffff",
    "\ud800",
    "\udfff",
]
#: Where a code point can come from: ASCII, the rest of each of the 17 planes, surrogates.
RANGES = [(0, 0x80), (0x80, 0xD800), (0xD800, 0xE000), (0xE000, 0x10000)]
RANGES += [(plane << 16, (plane + 1) << 16) for plane in range(1, 17)]
OURS = {"set", "get", "dbsize", "info", "ping", "hello", "client", "config", "select"}


def hostile_ids(seed: int) -> Iterator[str]:
    """Yield different ids without end, most of them short, some of 10,000 characters."""
    rng = random.Random(seed)
    seen = set()
    while True:
        longest = rng.choices([6, 60, 600, 10_000], [80, 17, 2.9, 0.1])[0]
        text = ""
        while len(text) < longest and (not text or rng.random() < 1 - 1 / longest):
            text += (
                rng.choice(PIECES)
                if rng.random() < 0.6
                else chr(rng.randrange(*rng.choice(RANGES)))
            )
        if text not in seen:
            seen.add(text)
            yield text


@cache
def keyed() -> tuple[dict[str, tuple[str, str]], int]:
    """Return key -> (family, id) for all ids that are valid, and how many were refused."""
    rng = random.Random(5)
    names = list(FAMILIES)
    found: dict[str, tuple[str, str]] = {}
    refused = 0
    for _, raw in zip(range(N_IDS), hostile_ids(3), strict=False):
        family = rng.choice(names)
        try:
            key = FAMILIES[family](raw)
        except InvalidKey as error:
            assert not valid(raw), repr(raw)
            assert str(error)
            refused += 1
            continue
        assert valid(raw), repr(raw)
        assert key not in found, f"{(family, raw)} and {found[key]} share {key}"
        found[key] = (family, raw)
    return found, refused


def valid(raw: str) -> bool:
    """Say what an id is, written another way: text of 512 bytes, three for each that is escaped."""
    try:
        encoded = raw.encode()
    except UnicodeEncodeError:
        return False
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
    return 0 < sum(1 if byte in plain else 3 for byte in encoded) <= MAX_ID_BYTES


def test_hostile_ids_are_keys_of_their_own_or_refused(
    own_redis_client: Redis, own_redis_url: str, figure: Callable[[int, str], None]
) -> None:
    keys, refused = keyed()
    assert len(keys) + refused == N_IDS
    for key, (family, raw) in keys.items():
        parsed = parse(key)
        assert parsed is not None
        name = parsed.model if family == "model" else parsed.name
        assert name == (f"{family}:{raw}" if family in ("category", "segment") else raw)
        assert key.isascii()
        assert key.isprintable()
        assert not set(key) & set(" *?[]\\\"'")
        assert key.count(":") == (5 if ":list:" in key or ":popular:" in key else 4)

    own_redis_client.set("sentinel", "whole")
    for batch in batched(keys):
        with own_redis_client.pipeline(transaction=False) as pipe:
            for key in batch:
                pipe.set(key, raw_bytes(keys[key][1]))
            assert pipe.execute() == [True] * len(batch)
    for batch in batched(keys):
        with own_redis_client.pipeline(transaction=False) as pipe:
            for key in batch:
                pipe.get(key)
            assert pipe.execute() == [raw_bytes(keys[key][1]) for key in batch]
    assert own_redis_client.dbsize() == len(keys) + 1
    assert own_redis_client.get("sentinel") == b"whole"

    stats: dict[str, Any] = own_redis_client.info("commandstats")
    ran = {name.removeprefix("cmdstat_").partition("|")[0] for name in stats}
    assert ran <= OURS
    assert stats["cmdstat_set"]["calls"] == len(keys) + 1
    assert stats["cmdstat_get"]["calls"] == len(keys) + 1
    figure(
        10,
        f"{len(keys):,} ids are keys of their own and came back equal, {refused:,} were refused; "
        "0 collisions, 0 injected commands",
    )


def raw_bytes(raw: str) -> bytes:
    return raw.encode()


def batched(keys: dict[str, tuple[str, str]]) -> Iterator[list[str]]:
    ordered = list(keys)
    return (ordered[at : at + BATCH] for at in range(0, len(ordered), BATCH))
