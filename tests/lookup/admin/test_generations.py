"""Flips that win and flips that are refused, on a real server, with races played out."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from nightshelf.admin.generations import allot, current, flip, listing, stage
from nightshelf.admin.lifecycle import mark_bad, rollback
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
    staged,
    states,
)


def test_numbers_only_grow(redis_client: Redis) -> None:
    assert allot(redis_client, SHOP) == 1
    assert allot(redis_client, SHOP) == 2
    assert allot(redis_client, SHOP, above=40) == 41
    assert allot(redis_client, SHOP, above=3) == 42
    assert allot(redis_client, "other") == 1


def test_numbers_are_given_out_once(redis_client: Redis) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: allot(redis_client, SHOP), range(200)))
    assert sorted(numbers) == list(range(1, 201))


def test_nothing_is_live_at_first(redis_client: Redis) -> None:
    assert current(redis_client, SHOP) is None
    assert listing(redis_client, SHOP) == []
    assert refusal(lambda: rollback(redis_client, SHOP)) == "nothing-older"


def test_staging_shows_readers_nothing(redis_client: Redis) -> None:
    publish(redis_client)
    staged(redis_client)
    assert live(redis_client) == 1
    assert states(redis_client) == {1: "live", 2: "staged"}


def test_flips_move_the_pointer_and_the_states(redis_client: Redis) -> None:
    for number in (1, 2, 3):
        new = publish(redis_client)
        assert (new.generation, new.state) == (number, "live")
        assert current(redis_client, SHOP) == new
    assert states(redis_client) == {1: "replaced", 2: "previous", 3: "live"}
    assert [manifest.generation for manifest in listing(redis_client, SHOP)] == [3, 2, 1]
    assert_consistent(redis_client)


def test_pointer_has_no_ttl(redis_client: Redis) -> None:
    publish(redis_client)
    keys = Keys(SHOP)
    assert {redis_client.ttl(key) for key in (keys.current, keys.generations, keys.fence)} == {-1}


def test_flips_that_are_refused(redis_client: Redis) -> None:
    late = staged(redis_client)
    publish(redis_client)
    assert refusal(lambda: flip(redis_client, SHOP, late)) == "fenced"
    assert refusal(lambda: flip(redis_client, SHOP, 9)) == "unknown"
    publish(redis_client)
    assert refusal(lambda: flip(redis_client, SHOP, 2)) == "not-staged"
    assert states(redis_client) == {1: "staged", 2: "previous", 3: "live"}


def test_a_half_staged_generation_never_becomes_live(redis_client: Redis) -> None:
    stage(redis_client, SHOP, Manifest(allot(redis_client, SHOP), "2026-03-01T00:00:00+00:00"))
    assert refusal(lambda: flip(redis_client, SHOP, 1)) == "incomplete"
    assert live(redis_client) is None


def test_a_sleeper_is_fenced_after_a_rollback_too(redis_client: Redis) -> None:
    publish(redis_client, 3)
    sleeper = staged(redis_client, 4)
    publish(redis_client, 5)
    assert rollback(redis_client, SHOP).generation == 3
    assert refusal(lambda: flip(redis_client, SHOP, sleeper)) == "fenced"
    assert states(redis_client) == {3: "live", 4: "staged", 5: "replaced"}
    publish(redis_client, 6)
    assert states(redis_client) == {3: "previous", 4: "staged", 5: "replaced", 6: "live"}


def test_flipping_what_is_live_changes_nothing(redis_client: Redis) -> None:
    publish(redis_client)
    live_now = publish(redis_client)
    assert flip(redis_client, SHOP, 2) == live_now == current(redis_client, SHOP)
    assert states(redis_client) == {1: "previous", 2: "live"}


def test_a_flip_that_slept_through_a_newer_one_is_fenced(
    redis_client: Redis, sleeper: Sleeper
) -> None:
    publish(redis_client)
    staged(redis_client, 2)
    staged(redis_client, 3)
    sleeper.others = lambda: flip(redis_client, SHOP, 3)
    assert refusal(lambda: flip(sleeper, SHOP, 2)) == "fenced"
    assert states(redis_client) == {1: "previous", 2: "staged", 3: "live"}


def test_a_flip_that_slept_through_an_older_one_looks_again(
    redis_client: Redis, sleeper: Sleeper
) -> None:
    publish(redis_client)
    staged(redis_client, 2)
    staged(redis_client, 3)
    sleeper.others = lambda: flip(redis_client, SHOP, 2)
    assert flip(sleeper, SHOP, 3).generation == 3
    assert states(redis_client) == {1: "replaced", 2: "previous", 3: "live"}


def test_a_flip_that_slept_while_the_pointer_came_back(
    redis_client: Redis, sleeper: Sleeper
) -> None:
    """Flip and rollback leave the pointer's bytes as they were; the states must still be right."""
    publish(redis_client)
    staged(redis_client, 2)
    staged(redis_client, 3)

    def there_and_back() -> None:
        flip(redis_client, SHOP, 2)
        rollback(redis_client, SHOP)

    sleeper.others = there_and_back
    assert flip(sleeper, SHOP, 3).generation == 3
    assert states(redis_client) == {1: "previous", 2: "replaced", 3: "live"}


def test_a_flip_that_slept_while_its_generation_was_marked_bad(
    redis_client: Redis, sleeper: Sleeper
) -> None:
    """The pointer stays where it is: the manifest alone tells that the world has moved."""
    publish(redis_client)
    staged(redis_client, 2)
    sleeper.others = lambda: mark_bad(redis_client, SHOP, 2)
    assert refusal(lambda: flip(sleeper, SHOP, 2)) == "bad"
    assert refusal(lambda: rollback(redis_client, SHOP, to=2)) == "bad"
    assert states(redis_client) == {1: "live", 2: "bad"}


def test_a_rollback_that_slept_through_a_flip_goes_where_it_was_told(
    redis_client: Redis, sleeper: Sleeper
) -> None:
    publish(redis_client)
    publish(redis_client)
    sleeper.others = lambda: publish(redis_client)
    assert rollback(sleeper, SHOP, to=1).generation == 1
    assert states(redis_client) == {1: "live", 2: "replaced", 3: "replaced"}


def test_two_operators_who_roll_back_at_once_go_one_step(
    redis_client: Redis, sleeper: Sleeper
) -> None:
    for _ in range(3):
        publish(redis_client)
    sleeper.others = lambda: rollback(redis_client, SHOP)
    assert rollback(sleeper, SHOP).generation == 2
    assert states(redis_client) == {1: "replaced", 2: "live", 3: "replaced"}


def test_a_transition_whose_answer_is_lost_is_done_once(redis_client: Redis) -> None:
    class Stutterer(Redis):
        """A client that sends a script again because the first answer was lost."""

        def eval(self, *args: Any) -> Any:
            super().eval(*args)
            return super().eval(*args)

    for _ in range(3):
        publish(redis_client)
    stutterer = Stutterer(connection_pool=redis_client.connection_pool)
    staged(redis_client, 4)
    assert flip(stutterer, SHOP, 4).generation == 4
    assert states(redis_client) == {1: "replaced", 2: "replaced", 3: "previous", 4: "live"}
    assert rollback(stutterer, SHOP).generation == 3
    assert states(redis_client) == {1: "replaced", 2: "replaced", 3: "live", 4: "replaced"}


def test_a_transition_gives_up_when_the_world_never_rests(redis_client: Redis) -> None:
    publish(redis_client)
    staged(redis_client, 90)

    class Restless(Redis):
        def eval(self, *args: Any) -> Any:
            publish(redis_client)
            return super().eval(*args)

    pool = redis_client.connection_pool
    assert refusal(lambda: flip(Restless(connection_pool=pool), SHOP, 90)) == "contended"
    assert_consistent(redis_client)


def test_rollback_goes_back_and_further_back(redis_client: Redis) -> None:
    for _ in range(3):
        publish(redis_client)
    long_ago = replace(listing(redis_client, SHOP)[1], published_at="2026-03-03T04:00:00+00:00")
    record(redis_client, long_ago)
    back = rollback(redis_client, SHOP)
    assert back.generation == 2
    assert back.published_at == long_ago.published_at
    assert states(redis_client) == {1: "replaced", 2: "live", 3: "replaced"}
    assert rollback(redis_client, SHOP).generation == 1
    assert refusal(lambda: rollback(redis_client, SHOP)) == "nothing-older"
    assert live(redis_client) == 1
    assert_consistent(redis_client)


def test_rollback_to_a_generation(redis_client: Redis) -> None:
    for _ in range(3):
        publish(redis_client)
    waiting = staged(redis_client)
    assert rollback(redis_client, SHOP, to=1).generation == 1
    assert rollback(redis_client, SHOP, to=1).generation == 1
    assert rollback(redis_client, SHOP, to=3).generation == 3
    assert refusal(lambda: rollback(redis_client, SHOP, to=9)) == "unknown"
    assert refusal(lambda: rollback(redis_client, SHOP, to=waiting)) == "not-staged"
    assert states(redis_client) == {1: "replaced", 2: "replaced", 3: "live", 4: "staged"}


def test_rollback_passes_over_what_is_no_longer_whole(redis_client: Redis) -> None:
    for _ in range(4):
        publish(redis_client)
    redis_client.delete(Keys(SHOP).popular(3, "all"))
    age(redis_client, 2, timedelta(seconds=0.9 * TTL_S + 1))
    assert refusal(lambda: rollback(redis_client, SHOP, to=3)) == "expired"
    assert refusal(lambda: rollback(redis_client, SHOP, to=2)) == "expired"
    assert rollback(redis_client, SHOP).generation == 1


def test_a_full_redis_can_still_roll_back(own_redis_client: Redis) -> None:
    publish(own_redis_client)
    publish(own_redis_client)
    own_redis_client.config_set("maxmemory-policy", "noeviction")
    own_redis_client.config_set("maxmemory", "1")
    with pytest.raises(OutOfMemoryError):
        own_redis_client.set("any", "thing")
    assert rollback(own_redis_client, SHOP).generation == 1
    assert states(own_redis_client) == {1: "live", 2: "replaced"}


def test_the_server_knows_script_flags(redis_client: Redis) -> None:
    """An unknown flag is an error, so the flag that we set is one that the server acts on."""
    assert redis_client.eval("#!lua flags=allow-oom\nreturn 1", 0) == 1
    with pytest.raises(ResponseError, match="flag"):
        redis_client.eval("#!lua flags=allow-nothing\nreturn 1", 0)


def test_two_flips_at_once_end_with_the_higher(redis_client: Redis) -> None:
    with ThreadPoolExecutor(2) as pool:
        for _ in range(40):
            pair = [staged(redis_client), staged(redis_client)]
            gate = threading.Barrier(2)

            def race(number: int, gate: threading.Barrier = gate) -> str:
                gate.wait()
                try:
                    return flip(redis_client, SHOP, number).state
                except TransitionRefused as refused:
                    return refused.reason

            lower, higher = pool.map(race, pair)
            assert higher == "live"
            assert live(redis_client) == pair[1]
            after = {"live": "previous", "fenced": "staged"}[lower]
            assert states(redis_client)[pair[0]] == after
            assert_consistent(redis_client)


def test_no_reader_ever_sees_two_live(redis_client: Redis) -> None:
    publish(redis_client)
    done = threading.Event()

    def publisher(_: int) -> None:
        for _ in range(25):
            try:
                publish(redis_client)
            except TransitionRefused as refused:
                assert refused.reason in ("fenced", "contended")

    def operator() -> None:
        while not done.is_set():
            try:
                rollback(redis_client, SHOP)
            except TransitionRefused as refused:
                assert refused.reason in ("nothing-older", "contended")

    def watcher() -> int:
        looks = 0
        while not done.is_set():
            assert_consistent(redis_client)
            looks += 1
        return looks

    with ThreadPoolExecutor(5) as pool:
        rolling, watching = pool.submit(operator), pool.submit(watcher)
        try:
            list(pool.map(publisher, range(3)))
        finally:
            done.set()
        rolling.result()
        assert watching.result() > 0
    assert_consistent(redis_client)
