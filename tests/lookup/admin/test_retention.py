"""Longer lives and early ends: what is touched, what never is, and that readers notice nothing."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from nightshelf import Shelf
from nightshelf.admin.batches import BATCH_KEYS
from nightshelf.admin.generations import allot, current, flip, listing, stage
from nightshelf.admin.lifecycle import mark_bad, pin, rollback, unpin
from nightshelf.admin.retention import (
    KEPT,
    STAGING_S,
    extend,
    orphans,
    prune,
    retire,
    whole_until,
)
from nightshelf.contract.keys import Keys, family_in, key_ttl_s
from nightshelf.contract.values import Manifest
from nightshelf.errors import TransitionRefused
from tests.lookup.conftest import Sleeper
from tests.lookup.shelves import (
    SHOP,
    TTL_S,
    UNKEPT,
    age,
    assert_consistent,
    publish,
    record,
    refusal,
    settle,
    staged,
    states,
    values,
)

#: Each looks like a part of another, to a careless pattern.
NEIGHBOURS = [(SHOP, 1), (SHOP, 2), (SHOP, 11), ("shop.b", 1), ("shop-1", 1), ("1", 1), ("sho", 1)]
SHORTEST = timedelta(seconds=0.9 * TTL_S)


def lives(client: Redis, namespace: str, generation: int) -> dict[str, int]:
    """Return the seconds that each key of a generation has left; -2 where it has gone."""
    return {key: client.ttl(key) for key in values(Keys(namespace), generation)}


def full_lives(namespace: str, generation: int, ttl_s: int) -> dict[str, int]:
    keys = values(Keys(namespace), generation)
    return {key: key_ttl_s(family_in(key), key, ttl_s) for key in keys}


def shorten(client: Redis, namespace: str, generation: int) -> None:
    for key in values(Keys(namespace), generation):
        client.expire(key, 600)


def manifest_of(client: Redis, generation: int) -> Manifest:
    (found,) = [each for each in listing(client, SHOP) if each.generation == generation]
    return found


class Witness(Redis):
    """A client that notes its commands: name, and how many arguments."""

    seen: list[tuple[str, int]]

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.seen.append((str(args[0]), len(args) - 1))
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


@pytest.fixture
def witness(redis_url: str, redis_client: Redis) -> Iterator[Any]:
    """A client that sees a live generation of several batches, and another's keys between."""
    with redis_client.pipeline(transaction=False) as pipe:
        for number in range(2 * BATCH_KEYS + 500):
            pipe.set(Keys(SHOP).user(1, f"u{number}"), "{}", ex=600)
            pipe.set(Keys(SHOP).user(2, f"u{number}"), "{}", ex=600)
        pipe.execute()
    publish(redis_client, 1)
    witness: Any = Witness.from_url(redis_url)
    with closing(witness):
        witness.seen = []
        yield witness


def test_extending_gives_each_key_its_full_life(redis_client: Redis) -> None:
    for namespace, generation in NEIGHBOURS:
        staged(redis_client, generation, namespace=namespace)
        shorten(redis_client, namespace, generation)
    flip(redis_client, SHOP, 1)
    assert extend(redis_client, SHOP) == 11
    expected = full_lives(SHOP, 1, TTL_S)
    for key, ttl_s in lives(redis_client, SHOP, 1).items():
        assert expected[key] - 30 < ttl_s <= expected[key]
    assert len(set(expected.values())) > 5, "keys extended together do not expire together"
    for neighbour in NEIGHBOURS[1:]:
        assert max(lives(redis_client, *neighbour).values()) <= 600


def test_extending_another_than_the_live_one(redis_client: Redis) -> None:
    publish(redis_client)
    publish(redis_client)
    shorten(redis_client, SHOP, 1)
    shorten(redis_client, SHOP, 2)
    assert extend(redis_client, SHOP, 1, ttl_s=10 * TTL_S) == 11
    assert min(lives(redis_client, SHOP, 1).values()) > 8 * TTL_S
    assert max(lives(redis_client, SHOP, 2).values()) <= 600
    assert manifest_of(redis_client, 1).ttl_s == 10 * TTL_S
    assert_consistent(redis_client)


@given(ttl_s=st.integers(1, 4 * TTL_S))
def test_no_life_is_made_shorter(redis_client: Redis, ttl_s: int) -> None:
    redis_client.flushdb()
    publish(redis_client)
    before, until = lives(redis_client, SHOP, 1), whole_until(manifest_of(redis_client, 1))
    assert extend(redis_client, SHOP, ttl_s=ttl_s) == 11
    after = lives(redis_client, SHOP, 1)
    full = full_lives(SHOP, 1, ttl_s)
    assert all(after[key] >= max(before[key], full[key]) - 30 for key in before)
    until_now = whole_until(manifest_of(redis_client, 1))
    assert until is not None
    assert until_now is not None
    assert until_now >= until
    assert (until_now - datetime.now(UTC)).total_seconds() <= min(after.values()) + 30
    assert current(redis_client, SHOP) == manifest_of(redis_client, 1)


def test_an_extended_generation_counts_as_whole(redis_client: Redis) -> None:
    publish(redis_client)
    publish(redis_client)
    age(redis_client, 1, SHORTEST - timedelta(seconds=60))
    before = manifest_of(redis_client, 1)
    extend(redis_client, SHOP, 1)
    after = manifest_of(redis_client, 1)
    assert after == replace(before, extended_at=after.extended_at)
    age(redis_client, 1, timedelta(seconds=120))  # its first life is over
    assert rollback(redis_client, SHOP).generation == 1


def test_what_may_have_lost_keys_does_not_count_as_whole_again(redis_client: Redis) -> None:
    publish(redis_client)
    publish(redis_client)
    age(redis_client, 1, SHORTEST + timedelta(seconds=1))
    assert extend(redis_client, SHOP, 1) == 11
    assert manifest_of(redis_client, 1).extended_at == ""
    assert refusal(lambda: rollback(redis_client, SHOP, to=1)) == "expired"


def test_extending_while_a_night_goes_live(redis_client: Redis, sleeper: Sleeper) -> None:
    publish(redis_client)
    sleeper.others = lambda: publish(redis_client)
    assert extend(sleeper, SHOP, ttl_s=2 * TTL_S) == 11
    assert states(redis_client) == {1: "previous", 2: "live"}
    assert manifest_of(redis_client, 1).extended_at
    assert_consistent(redis_client)


def test_extending_while_it_is_cleared(redis_client: Redis, sleeper: Sleeper) -> None:
    for _ in range(3):
        publish(redis_client)
    settle(redis_client)
    sleeper.others = lambda: retire(redis_client, SHOP, 1)
    extend(sleeper, SHOP, 1, ttl_s=2 * TTL_S)
    assert manifest_of(redis_client, 1).extended_at == ""
    assert refusal(lambda: rollback(redis_client, SHOP, to=1)) == "expired"


def test_keys_that_vanish_under_way_are_not_counted(redis_url: str, redis_client: Redis) -> None:
    publish(redis_client)

    class Slow(Redis):
        def scan(self, *args: Any, **options: Any) -> Any:
            found = super().scan(*args, **options)
            redis_client.delete(Keys(SHOP).list(1, "als", "ann"), Keys(SHOP).user(1, "bob"))
            return found

    with closing(Slow.from_url(redis_url)) as client:
        assert extend(client, SHOP) == 9


def test_extensions_that_are_refused(redis_client: Redis) -> None:
    assert refusal(lambda: extend(redis_client, SHOP)) == "nothing-live"
    assert refusal(lambda: extend(redis_client, SHOP, 9)) == "unknown"
    for _ in range(3):
        publish(redis_client)
    settle(redis_client)
    retire(redis_client, SHOP, 1)
    assert refusal(lambda: extend(redis_client, SHOP, 1)) == "expired"
    with pytest.raises(ValueError, match="at least 1 second"):
        extend(redis_client, SHOP, ttl_s=0)


def test_extending_many_keys_holds_nobody_up(witness: Witness) -> None:
    assert extend(witness, SHOP) == 2 * BATCH_KEYS + 511
    assert all(witness.ttl(Keys(SHOP).user(1, f"u{n}")) > 600 for n in range(0, 2_500, 100))
    assert all(witness.ttl(Keys(SHOP).user(2, f"u{n}")) <= 600 for n in range(0, 2_500, 100))
    names = [name for name, _ in witness.seen]
    assert "KEYS" not in names
    assert names.count("SCAN") >= 5


def test_retiring_many_keys_holds_nobody_up(witness: Witness) -> None:
    publish(witness, 3)
    publish(witness, 4)
    settle(witness)
    witness.seen.clear()
    assert retire(witness, SHOP, 1) == 2 * BATCH_KEYS + 511
    assert {name for name, _ in witness.seen} == {"EVAL", "SCAN", "UNLINK"}
    assert max(count for name, count in witness.seen if name == "UNLINK") == BATCH_KEYS
    assert witness.exists(*(Keys(SHOP).user(2, f"u{n}") for n in range(2_500))) == 2_500


@pytest.mark.parametrize("doomed", NEIGHBOURS)
def test_retiring_touches_nothing_else(redis_client: Redis, doomed: tuple[str, int]) -> None:
    for namespace, generation in NEIGHBOURS:
        staged(redis_client, generation, namespace=namespace)
    before = set(redis_client.scan_iter())
    assert retire(redis_client, *doomed, force=True) == 11
    gone = {key.encode() for key in values(Keys(doomed[0]), doomed[1])}
    assert set(redis_client.scan_iter()) == before - gone


def test_a_retired_generation_is_never_gone_back_to(redis_client: Redis) -> None:
    for _ in range(4):
        publish(redis_client)
    settle(redis_client)
    assert retire(redis_client, SHOP, 2) == 11
    assert manifest_of(redis_client, 2).retired_at
    assert refusal(lambda: rollback(redis_client, SHOP, to=2)) == "expired"
    # A key of before, put back by hand, makes no difference.
    redis_client.set(Keys(SHOP).popular(2, "all"), "x")
    assert refusal(lambda: pin(redis_client, SHOP, 2)) == "expired"
    assert retire(redis_client, SHOP, 2) == 1, "a second call finishes what the first left"
    assert rollback(redis_client, SHOP).generation == 3
    assert rollback(redis_client, SHOP).generation == 1


def test_retiring_what_is_bad_leaves_it_bad(redis_client: Redis) -> None:
    publish(redis_client)
    publish(redis_client)
    rollback(redis_client, SHOP, mark_bad=True)
    settle(redis_client)
    assert retire(redis_client, SHOP, 2) == 11
    assert states(redis_client) == {1: "live", 2: "bad"}


def test_retirements_that_are_refused(redis_client: Redis) -> None:
    for _ in range(3):
        publish(redis_client)
    staged(redis_client)
    assert refusal(lambda: retire(redis_client, SHOP, 1, force=True)) == "too-soon"
    settle(redis_client)
    pin(redis_client, SHOP, 3)
    expected = {2: "previous", 3: "live", 4: "staged", 9: "unknown"}
    for number, reason in expected.items():
        assert refusal(lambda number=number: retire(redis_client, SHOP, number)) == reason  # type: ignore[misc]
        assert -2 not in lives(redis_client, SHOP, number).values() or number == 9
    assert refusal(lambda: retire(redis_client, SHOP, 3, force=True)) == "live"
    assert retire(redis_client, SHOP, 2, force=True) == 11
    assert retire(redis_client, SHOP, 4, force=True) == 11
    assert states(redis_client) == {1: "replaced", 2: "retired", 3: "live", 4: "retired"}


def test_any_move_of_the_pointer_starts_the_wait_anew(redis_client: Redis) -> None:
    for _ in range(3):
        publish(redis_client)
    settle(redis_client)
    extend(redis_client, SHOP)
    mark_bad(redis_client, SHOP, 2)
    retire(redis_client, SHOP, 2)
    rollback(redis_client, SHOP)
    assert refusal(lambda: retire(redis_client, SHOP, 3)) == "too-soon"


def test_retiring_that_slept_through_a_rollback_to_it(
    redis_client: Redis, sleeper: Sleeper
) -> None:
    for _ in range(3):
        publish(redis_client)
    settle(redis_client)
    sleeper.others = lambda: rollback(redis_client, SHOP, to=1)
    assert refusal(lambda: retire(sleeper, SHOP, 1)) == "live"
    assert -2 not in lives(redis_client, SHOP, 1).values()


def test_retiring_that_slept_while_it_was_live_for_a_moment(
    redis_client: Redis, sleeper: Sleeper
) -> None:
    """Pointer and manifest are as they were, but readers may hold what was live in between."""
    for _ in range(3):
        publish(redis_client)
    settle(redis_client)

    def there_and_back() -> None:
        rollback(redis_client, SHOP, to=1)
        rollback(redis_client, SHOP, to=3)

    sleeper.others = there_and_back
    assert refusal(lambda: retire(sleeper, SHOP, 1)) == "too-soon"
    assert -2 not in lives(redis_client, SHOP, 1).values()


def test_a_rollback_that_slept_through_its_targets_retirement(
    redis_client: Redis, sleeper: Sleeper
) -> None:
    for _ in range(3):
        publish(redis_client)
    settle(redis_client)
    sleeper.others = lambda: retire(redis_client, SHOP, 1)
    assert refusal(lambda: rollback(sleeper, SHOP, to=1)) == "expired"
    assert states(redis_client) == {1: "retired", 2: "previous", 3: "live"}


def test_orphans_are_staged_and_abandoned(redis_client: Redis) -> None:
    now = datetime.now(UTC)

    def half(hours: float) -> int:
        number = allot(redis_client, SHOP)
        began = (now - timedelta(hours=hours)).isoformat()
        stage(redis_client, SHOP, Manifest(number, "2026-03-01T00:00:00+00:00", staged_at=began))
        return number

    assert orphans(redis_client, SHOP) == []
    below, unflipped = half(0), staged(redis_client)
    blocked = staged(redis_client)
    record(redis_client, replace(manifest_of(redis_client, blocked), gates={"events": "block"}))
    held = publish(redis_client).generation
    pin(redis_client, SHOP, held)
    assert [each.generation for each in orphans(redis_client, SHOP)] == [below]
    unpin(redis_client, SHOP)
    late = staged(redis_client)
    age(redis_client, late, timedelta(days=1))
    staged(redis_client)
    half(STAGING_S / 3600 - 0.1)
    dead = half(STAGING_S / 3600 + 0.1)
    bad = half(48)
    mark_bad(redis_client, SHOP, bad)
    record(redis_client, Manifest(99, "2026-03-01T00:00:00+00:00", staged_at="?"))
    found = [manifest.generation for manifest in orphans(redis_client, SHOP)]
    assert found == [dead, late, unflipped, below]
    settle(redis_client)
    for number in found:
        retire(redis_client, SHOP, number)
    assert orphans(redis_client, SHOP) == []


def test_generations_of_long_ago_are_forgotten(redis_client: Redis) -> None:
    for _ in range(KEPT + 5):
        publish(redis_client)
    assert prune(redis_client, SHOP) == 0, "their keys may stand"
    mark_bad(redis_client, SHOP, 2)
    for number in (1, 2, 3, 4, 50):
        age(redis_client, number, timedelta(days=KEPT + 1))
    assert prune(redis_client, SHOP) == 3
    assert set(states(redis_client)) == {2, *range(5, KEPT + 6)}
    assert_consistent(redis_client)


def test_readers_notice_neither_extending_nor_retiring(redis_url: str, redis_client: Redis) -> None:
    """Readers hold the pointer for its whole second and read as fast as they can."""
    publish(redis_client)
    done = threading.Event()

    def reader(_: int) -> tuple[int, set[str]]:
        with closing(Redis.from_url(redis_url, socket_timeout=10)) as client:
            shelf = Shelf(client, SHOP, settings=UNKEPT)
            n_reads, sources = 0, set()
            while not done.is_set():
                sources.add(shelf.get("ann").source)
                n_reads += 1
        return n_reads, sources

    def retire_when_allowed(generation: int) -> int:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                return retire(redis_client, SHOP, generation, force=True)
            except TransitionRefused as refused:
                assert refused.reason == "too-soon"
            extend(redis_client, SHOP)
        raise AssertionError("it was too soon for 20 seconds")

    with ThreadPoolExecutor(3) as pool:
        readers = pool.map(reader, range(3))
        try:
            publish(redis_client)
            assert retire_when_allowed(1) == 11
        finally:
            done.set()
        for n_reads, sources in readers:
            assert n_reads > 100
            assert sources == {"list"}
