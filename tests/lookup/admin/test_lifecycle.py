"""Actions of an operator, the races that they must win, and a Redis that is full meanwhile."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from nightshelf.admin.generations import allot, flip, listing, pinned, stage
from nightshelf.admin.lifecycle import mark_bad, pin, promote, rollback, unpin
from nightshelf.admin.namespace_state import read_state
from nightshelf.admin.retention import extend, retire
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from nightshelf.errors import TransitionRefused
from tests.lookup.conftest import Sleeper
from tests.lookup.shelves import (
    SHOP,
    TTL_S,
    age,
    assert_consistent,
    live,
    publish,
    record,
    refusal,
    settle,
    staged,
    states,
)


def half_staged(client: Redis) -> int:
    number = allot(client, SHOP)
    stage(client, SHOP, Manifest(number, "2026-03-01T00:00:00+00:00"))
    return number


def test_a_pin_holds_against_nights_until_it_is_taken_off(redis_client: Redis) -> None:
    publish(redis_client)
    assert pin(redis_client, SHOP, 1).generation == 1
    assert pinned(redis_client, SHOP) == 1
    assert redis_client.hget(Keys(SHOP).fence, "pinned") == b"1"
    for _ in range(2):
        number = staged(redis_client)
        with pytest.raises(TransitionRefused, match=f"{number} stays staged: unpin, then promote"):
            flip(redis_client, SHOP, number)
    assert flip(redis_client, SHOP, 1).generation == 1
    assert states(redis_client) == {1: "live", 2: "staged", 3: "staged"}
    unpin(redis_client, SHOP)
    unpin(redis_client, SHOP)
    assert not redis_client.hexists(Keys(SHOP).fence, "pinned")
    assert flip(redis_client, SHOP, 3).generation == 3


def test_a_pin_to_an_earlier_generation_goes_back_in_the_same_step(redis_client: Redis) -> None:
    for _ in range(3):
        publish(redis_client)
    assert pin(redis_client, SHOP, 2).generation == 2
    assert states(redis_client) == {1: "replaced", 2: "live", 3: "replaced"}
    assert pin(redis_client, SHOP, 3).generation == 3
    assert pinned(redis_client, SHOP) == 3
    assert_consistent(redis_client)


def test_pins_that_are_refused(redis_client: Redis) -> None:
    for _ in range(3):
        publish(redis_client)
    staged(redis_client)
    mark_bad(redis_client, SHOP, 2)
    age(redis_client, 1, timedelta(seconds=0.9 * TTL_S + 1))
    refusals = {n: refusal(lambda n=n: pin(redis_client, SHOP, n)) for n in (1, 2, 4, 9)}  # type: ignore[misc]
    assert refusals == {1: "expired", 2: "bad", 4: "not-staged", 9: "unknown"}
    assert pinned(redis_client, SHOP) is None
    assert live(redis_client) == 3


def test_a_pin_elsewhere_holds_nothing_here(redis_client: Redis) -> None:
    publish(redis_client, namespace="shop.b")
    pin(redis_client, "shop.b", 1)
    assert publish(redis_client).generation == 1


def test_rollback_takes_the_pin_along(redis_client: Redis) -> None:
    publish(redis_client)
    publish(redis_client)
    pin(redis_client, SHOP, 2)
    assert rollback(redis_client, SHOP).generation == 1
    assert pinned(redis_client, SHOP) == 1
    assert refusal(lambda: publish(redis_client)) == "pinned"


def test_a_bad_generation_never_comes_back(redis_client: Redis) -> None:
    for _ in range(3):
        publish(redis_client)
    staged(redis_client)
    for number in (2, 4):
        mark_bad(redis_client, SHOP, number)
    forward: list[Callable[[Redis, str, int], object]] = [flip, promote, pin]
    for act in forward:
        assert refusal(lambda act=act: act(redis_client, SHOP, 4)) == "bad"  # type: ignore[misc]
    assert refusal(lambda: promote(redis_client, SHOP, 4, force=True)) == "bad"
    assert refusal(lambda: rollback(redis_client, SHOP, to=2)) == "bad"
    assert rollback(redis_client, SHOP).generation == 1
    assert states(redis_client) == {1: "live", 2: "bad", 3: "replaced", 4: "bad"}


def test_the_live_one_is_marked_bad_only_by_leaving_it(redis_client: Redis) -> None:
    for _ in range(3):
        publish(redis_client)
    assert refusal(lambda: mark_bad(redis_client, SHOP, 3)) == "live"
    assert refusal(lambda: rollback(redis_client, SHOP, to=3, mark_bad=True)) == "live"
    assert refusal(lambda: mark_bad(redis_client, SHOP, 9)) == "unknown"
    assert rollback(redis_client, SHOP, mark_bad=True).generation == 2
    assert states(redis_client) == {1: "replaced", 2: "live", 3: "bad"}
    assert publish(redis_client).generation == 4


def test_what_the_operator_saw_is_marked_bad_though_others_moved(
    redis_client: Redis, sleeper: Sleeper
) -> None:
    """A night lands, or another operator is first: the verdict was on what was live then."""
    publish(redis_client)
    publish(redis_client)
    sleeper.others = lambda: publish(redis_client)
    assert rollback(sleeper, SHOP, mark_bad=True).generation == 1
    assert states(redis_client) == {1: "live", 2: "bad", 3: "replaced"}
    publish(redis_client)
    sleeper.others = lambda: rollback(redis_client, SHOP, to=3)
    assert rollback(sleeper, SHOP, to=3, mark_bad=True).generation == 3
    assert states(redis_client) == {1: "replaced", 2: "bad", 3: "live", 4: "bad"}


def test_its_publisher_cannot_bring_back_what_is_given_up(redis_client: Redis) -> None:
    publish(redis_client)
    bad, cleared = half_staged(redis_client), half_staged(redis_client)
    before = {manifest.generation: manifest for manifest in listing(redis_client, SHOP)}
    mark_bad(redis_client, SHOP, bad)
    settle(redis_client)
    retire(redis_client, SHOP, cleared, force=True)
    for number, reason in ((bad, "bad"), (cleared, "not-staged"), (1, "not-staged")):
        written = replace(before[number], state="staged", digest="d")
        assert refusal(lambda written=written: stage(redis_client, SHOP, written)) == reason  # type: ignore[misc]
    assert states(redis_client) == {1: "live", bad: "bad", cleared: "retired"}


def test_staging_anew_that_slept_while_it_was_marked_bad(
    redis_client: Redis, sleeper: Sleeper
) -> None:
    number = half_staged(redis_client)
    (manifest,) = listing(redis_client, SHOP)
    sleeper.others = lambda: mark_bad(redis_client, SHOP, number)
    whole = replace(manifest, digest="d")
    assert refusal(lambda: stage(sleeper, SHOP, whole)) == "bad"
    assert states(redis_client) == {number: "bad"}


def test_promote_makes_live_what_was_held_back(redis_client: Redis) -> None:
    publish(redis_client)
    number = staged(redis_client)
    new = promote(redis_client, SHOP, number)
    assert (new.generation, new.state) == (2, "live")
    assert new.published_at
    assert promote(redis_client, SHOP, number) == new
    assert states(redis_client) == {1: "previous", 2: "live"}
    assert refusal(lambda: flip(redis_client, SHOP, staged(redis_client, 2))) == "not-staged"
    assert_consistent(redis_client)


def test_promotions_that_nothing_forces(redis_client: Redis) -> None:
    publish(redis_client)
    half, gone, old = half_staged(redis_client), staged(redis_client), staged(redis_client)
    redis_client.delete(Keys(SHOP).popular(gone, "all"))
    age(redis_client, old, timedelta(seconds=0.9 * TTL_S + 1))
    publish(redis_client)
    settle(redis_client)
    retire(redis_client, SHOP, 1, force=True)
    expected = {half: "incomplete", gone: "expired", old: "expired", 1: "expired", 9: "unknown"}
    for number, reason in expected.items():
        act = lambda number=number: promote(redis_client, SHOP, number, force=True)  # noqa: E731
        assert refusal(act) == reason
    assert live(redis_client) == 5


def test_the_way_forward_after_a_rollback(redis_client: Redis) -> None:
    for _ in range(3):
        publish(redis_client)
    published_at = read_state(redis_client, SHOP).find(3).published_at
    assert rollback(redis_client, SHOP).generation == 2
    assert rollback(redis_client, SHOP).generation == 1
    assert promote(redis_client, SHOP, 3).generation == 3  # no force: it has been live
    assert states(redis_client) == {1: "previous", 2: "replaced", 3: "live"}
    assert read_state(redis_client, SHOP).find(3).published_at == published_at
    assert refusal(lambda: promote(redis_client, SHOP, 2)) == "superseded"
    assert rollback(redis_client, SHOP, mark_bad=True).generation == 2
    assert refusal(lambda: promote(redis_client, SHOP, 3, force=True)) == "bad"
    pin(redis_client, SHOP, 1)
    assert refusal(lambda: promote(redis_client, SHOP, 2)) == "pinned"
    assert promote(redis_client, SHOP, 2, force=True).generation == 2
    assert pinned(redis_client, SHOP) == 2


def test_a_manifest_of_before_calls_what_is_replaced_retired(redis_client: Redis) -> None:
    for _ in range(3):
        publish(redis_client)
    settle(redis_client)
    retire(redis_client, SHOP, 2, force=True)
    for number in (1, 2):
        old: Any = redis_client.hget(Keys(SHOP).generations, str(number))
        redis_client.hset(
            Keys(SHOP).generations, str(number), old.replace(b'"replaced"', b'"retired"')
        )
    assert states(redis_client) == {1: "replaced", 2: "retired", 3: "live"}
    assert rollback(redis_client, SHOP).generation == 1
    assert states(redis_client) == {1: "live", 2: "retired", 3: "replaced"}


def test_force_passes_the_fence_and_leaves_it_where_it_was(redis_client: Redis) -> None:
    publish(redis_client)
    late, later = staged(redis_client), staged(redis_client)
    publish(redis_client)
    assert refusal(lambda: promote(redis_client, SHOP, late)) == "fenced"
    assert promote(redis_client, SHOP, late, force=True).generation == late
    assert refusal(lambda: flip(redis_client, SHOP, later)) == "fenced"
    assert states(redis_client) == {1: "replaced", 2: "live", 3: "staged", 4: "previous"}


def test_force_takes_the_pin_along(redis_client: Redis) -> None:
    publish(redis_client)
    pin(redis_client, SHOP, 1)
    number = staged(redis_client)
    assert refusal(lambda: promote(redis_client, SHOP, number)) == "pinned"
    assert promote(redis_client, SHOP, number, force=True).generation == number
    assert pinned(redis_client, SHOP) == number


@pytest.mark.parametrize("act", [flip, promote])
def test_a_pin_that_lands_inside_a_flip_holds(
    redis_client: Redis, sleeper: Sleeper, act: Callable[[Redis, str, int], Manifest]
) -> None:
    """Only the fence has changed since the publisher looked: the script must compare it."""
    publish(redis_client)
    number = staged(redis_client)
    sleeper.others = lambda: pin(redis_client, SHOP, 1)
    assert refusal(lambda: act(sleeper, SHOP, number)) == "pinned"
    assert states(redis_client) == {1: "live", 2: "staged"}


def test_a_pin_that_slept_through_a_flip_still_holds_what_it_named(
    redis_client: Redis, sleeper: Sleeper
) -> None:
    publish(redis_client)
    number = staged(redis_client)
    sleeper.others = lambda: flip(redis_client, SHOP, number)
    assert pin(sleeper, SHOP, 1).generation == 1
    assert states(redis_client) == {1: "live", 2: "replaced"}
    assert_consistent(redis_client)


def test_pins_and_flips_at_once_never_leave_a_pin_behind(redis_client: Redis) -> None:
    publish(redis_client)

    def night(_: int) -> str:
        try:
            publish(redis_client)
        except TransitionRefused as refused:
            return refused.reason
        return "live"

    with ThreadPoolExecutor(2) as pool:
        nights = pool.map(night, range(60))
        for _ in range(60):
            number = live(redis_client) or 1
            try:
                pin(redis_client, SHOP, number)
                assert live(redis_client) == pinned(redis_client, SHOP) == number
            except TransitionRefused as refused:
                assert refused.reason == "contended"
            unpin(redis_client, SHOP)
        assert set(nights) <= {"live", "pinned", "fenced", "contended"}
    assert_consistent(redis_client)


def test_a_full_redis_takes_every_change(own_redis_client: Redis) -> None:
    client = own_redis_client
    for _ in range(3):
        publish(client)
    staged(client)
    settle(client)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    with pytest.raises(OutOfMemoryError):
        client.set("any", "thing")
    assert pin(client, SHOP, 3).generation == 3
    assert promote(client, SHOP, 4, force=True).generation == 4
    assert rollback(client, SHOP, mark_bad=True).generation == 3
    assert pin(client, SHOP, 2).generation == 2
    unpin(client, SHOP)
    mark_bad(client, SHOP, 3)
    assert extend(client, SHOP) == 11
    assert states(client) == {1: "replaced", 2: "live", 3: "bad", 4: "bad"}


def test_a_full_redis_can_be_cleared(own_redis_client: Redis) -> None:
    client = own_redis_client
    for _ in range(3):
        publish(client)
    settle(client)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    assert retire(client, SHOP, 1) == 11
    client.config_set("maxmemory", "0")
    assert refusal(lambda: rollback(client, SHOP, to=1)) == "expired"
    assert rollback(client, SHOP).generation == 2


def test_a_manifest_of_an_earlier_version_is_understood(redis_client: Redis) -> None:
    """A generation staged before there were `extended_at` and `retired_at` can be gone back to."""
    publish(redis_client)
    publish(redis_client)
    old = listing(redis_client, SHOP)[1]
    record(redis_client, old)
    value = old.to_json().replace(b'"extended_at":"","retired_at":"",', b"")
    redis_client.hset(Keys(SHOP).generations, "1", value)
    assert rollback(redis_client, SHOP) == replace(old, state="live")
