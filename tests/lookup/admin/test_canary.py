"""A canary: who is drawn, what they read, what ends it, and what it refuses."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import OutOfMemoryError

from nightshelf import Shelf
from nightshelf.admin.canary import release
from nightshelf.admin.generations import allot, current, flip, stage
from nightshelf.admin.lifecycle import mark_bad, pin, promote, rollback, unpin
from nightshelf.admin.namespace_state import read_state
from nightshelf.admin.retention import extend, retire
from nightshelf.contract.assignment import in_canary
from nightshelf.contract.keys import POINTER_CACHE_S, Keys
from nightshelf.contract.values import Manifest
from nightshelf.errors import TransitionRefused
from tests.lookup.conftest import Sleeper
from tests.lookup.shelves import (
    SHOP,
    TTL_S,
    Clock,
    age,
    assert_consistent,
    canary,
    live,
    publish,
    refusal,
    settle,
    staged,
    states,
)

KEYS = Keys(SHOP)
USERS = ["ann", "bob", "cid", "dot", "eve", "fay", "gil"]
SOURCES = ["list", "popular:segment:gold", *["popular:all"] * 5]


@pytest.fixture
def shop(redis_client: Redis) -> Redis:
    """Generations 1 and 2 have been live, 3 is staged."""
    publish(redis_client)
    publish(redis_client)
    staged(redis_client)
    return redis_client


@pytest.mark.parametrize(
    ("user", "generation", "first_bytes"),
    [
        ("u1", 44, 0xA595D099),  # printf '44:u1' | sha256sum
        ("u2", 44, 0xA34E269A),
        ("u3", 44, 0x382971A7),
        ("é", 44, 0x0F86CA27),
        ("u1", 45, 0xF74B1CBF),
        ("a:b c", 7, 0x7CC3230D),
    ],
)
def test_golden_draws(user: str, generation: int, first_bytes: int) -> None:
    share = first_bytes * 100 / 2**32
    assert not in_canary(user, generation, share)
    assert in_canary(user, generation, share + 1e-6)


def test_golden_shares() -> None:
    """0xA595D099 is 64.68 % of the way up, 0xA34E269A 63.79 %, 0x382971A7 21.94 %."""
    drawn = {
        share: [user for user in ("u1", "u2", "u3") if in_canary(user, 44, share)]
        for share in (21.9, 22, 63.7, 63.8, 64.6, 64.7, 100)
    }
    assert list(drawn.values()) == [
        [],
        ["u3"],
        ["u3"],
        ["u2", "u3"],
        ["u2", "u3"],
        ["u1", "u2", "u3"],
        ["u1", "u2", "u3"],
    ]


N_USERS = 20_000
SEQUENTIAL = [f"u{number}" for number in range(N_USERS)]
RANDOM = [f"{random.Random(number).getrandbits(64):016x}" for number in range(N_USERS)]


def within(found: int, probability: float) -> bool:
    """Tell whether a binomial count is within five standard deviations of its mean."""
    spread = sqrt(N_USERS * probability * (1 - probability))
    return abs(found - N_USERS * probability) < 5 * spread


@pytest.mark.parametrize("users", [SEQUENTIAL, RANDOM], ids=["sequential", "random"])
@pytest.mark.parametrize("share", [0.5, 5, 50, 99])
def test_the_share_is_met(users: list[str], share: float) -> None:
    assert within(sum(in_canary(user, 44, share) for user in users), share / 100)


@pytest.mark.parametrize("users", [SEQUENTIAL, RANDOM], ids=["sequential", "random"])
@pytest.mark.parametrize("other", [45, 46, 144, 4])
def test_generations_draw_independently(users: list[str], other: int) -> None:
    both = sum(in_canary(user, 44, 20) and in_canary(user, other, 20) for user in users)
    assert within(both, 0.2 * 0.2)


shares = st.floats(0, 100, exclude_min=True)


@given(st.text(st.characters()), st.integers(1, 2**40), shares, shares)
def test_draws_are_as_the_contract_says(user: str, generation: int, one: float, two: float) -> None:
    """Of any text, lone surrogates too; the contract's sentence written another way."""
    text = f"{generation}:{user}".encode("utf-8", "surrogatepass")
    number = int(sha256(text).hexdigest()[:8], 16)
    assert in_canary(user, generation, one) == (100 * number < one * 4_294_967_296)
    assert in_canary(user, generation, 100)
    if one <= two:
        assert in_canary(user, generation, one) <= in_canary(user, generation, two)


def test_everyone_drawn_reads_every_key_of_the_canary(shop: Redis) -> None:
    release(shop, SHOP, 3, 100)
    results = Shelf(shop, SHOP).get_many(USERS)
    assert [result.source for result in results] == SOURCES
    assert {result.generation for result in results} == {3}
    assert {item.item_id[1:] for result in results for item in result.items} == {"3"}
    assert results[0].model == "als"
    assert all(result.age_s is not None and result.age_s < 60 for result in results)
    assert Shelf(shop, SHOP).popular().generation == 2  # no user is known there


def test_the_row_that_names_a_users_segment_is_the_canarys(shop: Redis) -> None:
    shop.set(KEYS.user(3, "bob"), b'{"segment":null}')
    shop.set(KEYS.user(3, "cid"), b'{"segment":"gold"}')
    release(shop, SHOP, 3, 100)
    bob, cid = Shelf(shop, SHOP).get_many(["bob", "cid"])
    assert (bob.source, cid.source) == ("popular:all", "popular:segment:gold")


def test_the_canarys_own_model_is_read(shop: Redis) -> None:
    (manifest,) = [each for each in read_state(shop, SHOP).manifests if each.generation == 3]
    stage(shop, SHOP, replace(manifest, models=("ease",), default_model="ease"))
    shop.rename(KEYS.list(3, "als", "ann"), KEYS.list(3, "ease", "ann"))
    release(shop, SHOP, 3, 100)
    result = Shelf(shop, SHOP).get("ann")
    assert (result.source, result.generation, result.model) == ("list", 3, "ease")


@pytest.mark.parametrize("share", [0.001, 20, 50, 80, 100])
def test_a_mixture_is_each_users_own_generation(shop: Redis, share: float) -> None:
    release(shop, SHOP, 3, share)
    shelf = Shelf(shop, SHOP)
    results = shelf.get_many([*USERS, *USERS])
    expected = [3 if in_canary(user, 3, share) else 2 for user in USERS] * 2
    assert [result.generation for result in results] == expected
    assert [result.source for result in results] == SOURCES * 2
    for result in results:
        assert {int(item.item_id[1:]) for item in result.items} == {result.generation}
    for user, result in zip(USERS, results, strict=False):
        assert shelf.get(user).items == result.items


def test_both_are_drawn_at_half(shop: Redis) -> None:
    """The mixtures above are mixtures."""
    assert {in_canary(user, 3, 50) for user in USERS} == {True, False}


def test_a_canary_whose_keys_have_left_falls_back_to_live_lists(shop: Redis) -> None:
    release(shop, SHOP, 3, 100)
    shop.delete(KEYS.list(3, "als", "ann"))
    result = Shelf(shop, SHOP).get("ann")
    assert (result.source, result.generation) == ("popular:all", 3)
    shop.delete(*shop.keys(f"{KEYS.prefix(3)}*"))
    results = Shelf(shop, SHOP).get_many(USERS)
    assert [result.source for result in results] == SOURCES
    assert {result.generation for result in results} == {2}
    assert {item.item_id[1:] for result in results for item in result.items} == {"2"}


def test_readers_learn_of_it_with_the_pointer(shop: Redis) -> None:
    clock = Clock()
    shelf = Shelf(shop, SHOP, clock=clock)
    assert shelf.get("ann").generation == 2
    release(shop, SHOP, 3, 100)
    assert shelf.get("ann").generation == 2
    clock.now_s = POINTER_CACHE_S
    assert shelf.get("ann").generation == 3
    rollback(shop, SHOP)
    clock.now_s = 2 * POINTER_CACHE_S
    assert shelf.get("ann").generation == 2


def test_a_second_call_changes_the_share_and_the_generation(shop: Redis) -> None:
    staged(shop)
    for number, share in [(3, 1), (3, 12.5), (4, 7)]:
        release(shop, SHOP, number, share)
        manifest = current(shop, SHOP)
        assert manifest is not None
        assert manifest.canary is not None
        assert (manifest.canary.generation, manifest.canary.share) == (number, share)
        assert_consistent(shop)
    assert states(shop) == {1: "previous", 2: "live", 3: "staged", 4: "staged"}


def test_canaries_that_are_refused(shop: Redis) -> None:
    half, bad, gone, old = allot(shop, SHOP), staged(shop), staged(shop), staged(shop)
    stage(shop, SHOP, Manifest(half, "2026-03-01T00:00:00+00:00"))
    mark_bad(shop, SHOP, bad)
    shop.delete(KEYS.popular(gone, "all"))
    age(shop, old, timedelta(seconds=0.9 * TTL_S + 1))
    before = read_state(shop, SHOP)
    expected = {
        2: "not-staged",
        half: "incomplete",
        bad: "bad",
        gone: "expired",
        old: "expired",
        99: "unknown",
    }
    for number, reason in expected.items():
        assert refusal(lambda number=number: release(shop, SHOP, number, 5)) == reason  # type: ignore[misc]
    assert read_state(shop, SHOP) == before


def test_what_a_rollback_left_is_tried_on_a_few(shop: Redis) -> None:
    rollback(shop, SHOP)
    assert states(shop) == {1: "live", 2: "replaced", 3: "staged"}
    release(shop, SHOP, 2, 100)
    shelf = Shelf(shop, SHOP)
    assert shelf.get("ann").generation == 2
    assert refusal(lambda: retire(shop, SHOP, 2, force=True)) == "live"
    assert promote(shop, SHOP, 2).generation == 2
    assert states(shop) == {1: "previous", 2: "live", 3: "staged"}


def test_no_canary_beside_nothing(redis_client: Redis) -> None:
    staged(redis_client)
    assert refusal(lambda: release(redis_client, SHOP, 1, 5)) == "nothing-live"
    assert refusal(lambda: rollback(redis_client, SHOP)) == "nothing-older"


@pytest.mark.parametrize("share", [0, -0.0, -5, 100.001, float("inf"), float("nan")])
def test_shares_that_are_none(shop: Redis, share: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 100"):
        release(shop, SHOP, 3, share)
    assert canary(shop) is None


def test_promoting_it_makes_it_live_and_ends_it(shop: Redis) -> None:
    release(shop, SHOP, 3, 5)
    new = promote(shop, SHOP, 3)
    assert (new.generation, new.canary) == (3, None)
    assert states(shop) == {1: "replaced", 2: "previous", 3: "live"}
    assert canary(shop) is None
    assert_consistent(shop)


ENDS: list[Callable[[Redis], object]] = [
    lambda client: promote(client, SHOP, 4),
    lambda client: flip(client, SHOP, 4),
    lambda client: flip(client, SHOP, 3),
    lambda client: rollback(client, SHOP, to=1),
    lambda client: pin(client, SHOP, 1),
]


@pytest.mark.parametrize("move", ENDS, ids=["promote", "flip", "flip it", "rollback", "pin"])
def test_any_move_ends_it_for_good(shop: Redis, move: Callable[[Redis], object]) -> None:
    staged(shop)
    release(shop, SHOP, 3, 5)
    move(shop)
    assert live(shop) != 2
    assert canary(shop) is None
    rollback(shop, SHOP, to=2)  # it does not come back with what it stood beside
    assert canary(shop) is None
    assert_consistent(shop)


def test_what_does_not_move_the_pointer_leaves_it(shop: Redis) -> None:
    release(shop, SHOP, 3, 5)
    for act in (
        lambda: pin(shop, SHOP, 2),
        lambda: unpin(shop, SHOP),
        lambda: extend(shop, SHOP),
        lambda: extend(shop, SHOP, 3),
        lambda: staged(shop),
        lambda: flip(shop, SHOP, 2),
        lambda: rollback(shop, SHOP, to=2),
        lambda: mark_bad(shop, SHOP, 1),
    ):
        act()
        assert (live(shop), canary(shop)) == (2, 3)
        assert_consistent(shop)


def test_a_rollback_ends_it_and_leaves_what_is_live(shop: Redis) -> None:
    release(shop, SHOP, 3, 5)
    assert rollback(shop, SHOP).generation == 2
    assert states(shop) == {1: "previous", 2: "live", 3: "staged"}
    assert canary(shop) is None
    assert rollback(shop, SHOP).generation == 1


def test_a_rollback_marks_the_canary_bad_and_not_what_is_live(shop: Redis) -> None:
    release(shop, SHOP, 3, 5)
    assert rollback(shop, SHOP, mark_bad=True).generation == 2
    assert states(shop) == {1: "previous", 2: "live", 3: "bad"}
    assert refusal(lambda: release(shop, SHOP, 3, 5)) == "bad"


def test_marking_it_bad_ends_it(shop: Redis) -> None:
    release(shop, SHOP, 3, 5)
    mark_bad(shop, SHOP, 3)
    assert (live(shop), canary(shop)) == (2, None)
    assert states(shop)[3] == "bad"


def test_its_keys_stay_while_readers_may_want_them(shop: Redis) -> None:
    settle(shop)
    release(shop, SHOP, 3, 5)
    for force in (False, True):
        assert refusal(lambda force=force: retire(shop, SHOP, 3, force=force)) == "live"  # type: ignore[misc]
    settle(shop)
    rollback(shop, SHOP)
    assert refusal(lambda: retire(shop, SHOP, 3, force=True)) == "too-soon"
    settle(shop)
    assert refusal(lambda: retire(shop, SHOP, 3)) == "staged"
    assert retire(shop, SHOP, 3, force=True) == 11


def test_another_canary_in_its_place_is_a_move_as_well(shop: Redis) -> None:
    staged(shop)
    release(shop, SHOP, 3, 5)
    settle(shop)
    release(shop, SHOP, 4, 5)
    assert refusal(lambda: retire(shop, SHOP, 3, force=True)) == "too-soon"


def test_it_works_while_pinned(shop: Redis) -> None:
    pin(shop, SHOP, 2)
    release(shop, SHOP, 3, 100)
    assert Shelf(shop, SHOP).get("ann").generation == 3
    assert refusal(lambda: promote(shop, SHOP, 3)) == "pinned"
    assert read_state(shop, SHOP).pinned == 2
    assert canary(shop) == 3
    assert rollback(shop, SHOP).generation == 2
    assert read_state(shop, SHOP).pinned == 2


def test_it_works_on_a_redis_that_is_full(own_redis_client: Redis) -> None:
    client = own_redis_client
    publish(client)
    staged(client)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    with pytest.raises(OutOfMemoryError):
        client.set("any", "thing")
    release(client, SHOP, 2, 100)
    assert Shelf(client, SHOP).get("ann").generation == 2
    rollback(client, SHOP, mark_bad=True)
    assert Shelf(client, SHOP).get("ann").generation == 1
    assert states(client) == {1: "live", 2: "bad"}


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        pytest.param(lambda client: mark_bad(client, SHOP, 3), "bad"),
        pytest.param(lambda client: retire(client, SHOP, 3, force=True), "not-staged"),
        (lambda client: promote(client, SHOP, 3), "not-staged"),
        (lambda client: client.delete(KEYS.current), "nothing-live"),
    ],
    ids=["bad", "retired", "promoted", "gone"],
)
def test_what_others_did_while_it_slept_counts(
    shop: Redis, sleeper: Sleeper, others: Callable[[Redis], object], reason: str
) -> None:
    settle(shop)
    sleeper.others = lambda: others(shop)
    assert refusal(lambda: release(sleeper, SHOP, 3, 5)) == reason
    assert canary(shop) is None


def test_of_two_operators_the_later_has_the_say(shop: Redis, sleeper: Sleeper) -> None:
    staged(shop)
    sleeper.others = lambda: release(shop, SHOP, 4, 50)
    release(sleeper, SHOP, 3, 5)
    assert canary(shop) == 3
    sleeper.others = lambda: rollback(shop, SHOP)
    assert rollback(sleeper, SHOP).generation == 2  # one rollback, said twice
    assert states(shop) == {1: "previous", 2: "live", 3: "staged", 4: "staged"}
    assert_consistent(shop)


def test_a_rollback_ends_only_the_canary_that_it_saw(shop: Redis, sleeper: Sleeper) -> None:
    staged(shop)
    release(shop, SHOP, 3, 5)
    sleeper.others = lambda: release(shop, SHOP, 4, 5)
    assert rollback(sleeper, SHOP, mark_bad=True).generation == 2
    assert canary(shop) == 4
    assert states(shop) == {1: "previous", 2: "live", 3: "bad", 4: "staged"}
    sleeper.others = lambda: promote(shop, SHOP, 4)
    assert rollback(sleeper, SHOP, mark_bad=True).generation == 4  # promoted: no longer a canary
    assert states(shop)[4] == "live"


def test_a_flip_that_slept_while_a_canary_came_ends_it(shop: Redis, sleeper: Sleeper) -> None:
    number = staged(shop)
    sleeper.others = lambda: release(shop, SHOP, 3, 5)
    assert flip(sleeper, SHOP, number).canary is None
    assert canary(shop) is None
    assert_consistent(shop)


def test_one_that_never_rests_is_contended(shop: Redis, sleeper: Sleeper) -> None:
    def again() -> None:
        release(shop, SHOP, 3, 1 + len(turns))
        turns.append(None)
        sleeper.others = again

    turns: list[None] = []
    sleeper.others = again
    with pytest.raises(TransitionRefused) as refused:
        release(sleeper, SHOP, 3, 50)
    assert refused.value.reason == "contended"
    assert len(turns) == 5
