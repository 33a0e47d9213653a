"""The kill-switch: off every path within two seconds, whatever else is broken."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import OutOfMemoryError

from nightshelf import Result, Shelf
from nightshelf.admin.blocklist import block, blocked, unblock
from nightshelf.admin.canary import release
from nightshelf.contract.keys import POINTER_CACHE_S, Keys
from nightshelf.contract.values import RankedList, Reason
from nightshelf.errors import InvalidKey
from tests.conftest import process_id
from tests.lookup.shelves import SHOP, UNKEPT, Clock, ids, publish, ranked, staged

KEYS = Keys(SHOP)
Read = Callable[[Shelf], Result]


def get(user: str, n: int = 10) -> Read:
    return lambda shelf: shelf.get(user, n)


def popular(segment: str, n: int = 10) -> Read:
    return lambda shelf: shelf.popular(segment, n)


PATHS: list[tuple[Read, str, str, tuple[str, ...]]] = [
    (get("ann", 2), "A1", "list", ("B1", "C1")),
    (get("ann", 2), "B1", "list", ("A1", "C1")),
    (get("ann", 2), "C1", "list", ("A1", "B1")),
    (get("bob", 1), "C1", "popular:segment:gold", ("A1",)),
    (get("eve", 2), "B1", "popular:all", ("C1", "A1")),
    (popular("all", 2), "C1", "popular:all", ("B1", "A1")),
    (popular("segment:gold", 1), "C1", "popular:segment:gold", ("A1",)),
    (popular("trending"), "A1", "popular:all", ("B1", "C1")),  # nothing is left: the next level
    (popular("category:Lamps"), "C1", "popular:all", ("B1", "A1")),
    (lambda shelf: shelf.similar("A1", 1), "B1", "similar", ("C1",)),
]


@pytest.mark.parametrize(("read", "item", "source", "items"), PATHS)
def test_off_every_path_and_made_up_for_from_the_tail(
    redis_client: Redis, read: Read, item: str, source: str, items: tuple[str, ...]
) -> None:
    publish(redis_client)
    before = read(Shelf(redis_client, SHOP))
    assert block(redis_client, SHOP, [item]) == 1
    result = read(Shelf(redis_client, SHOP))
    assert (result.source, ids(result)) == (source, items)
    assert not [need for found in result.items for need in found.reason[1:] if need == item]
    assert unblock(redis_client, SHOP, [item]) == 1
    again = read(Shelf(redis_client, SHOP))
    assert (again.source, again.items) == (before.source, before.items)


def test_no_reason_names_it(redis_client: Redis) -> None:
    publish(redis_client)
    assert {item.reason for item in Shelf(redis_client, SHOP).get("ann").items} == {
        ("because", "C1")
    }
    block(redis_client, SHOP, ["C1", "A1"])
    assert [item.reason for item in Shelf(redis_client, SHOP).get("ann").items] == [("taste",)]
    alike = Shelf(redis_client, SHOP).similar("A1")
    assert (alike.source, ids(alike), alike.items[0].reason) == ("similar", ("B1",), ("taste",))


def test_rung_by_rung_down_to_nothing(redis_client: Redis) -> None:
    publish(redis_client)
    redis_client.set(KEYS.user(1, "ann"), b'{"segment":"gold"}')
    redis_client.set(KEYS.list(1, "als", "ann"), ranked("X1").to_json())
    sources = []
    for item in ("none", "X1", "A1", "C1", "B1"):
        block(redis_client, SHOP, [item])
        result = Shelf(redis_client, SHOP).get("ann")
        sources.append(result.source)
        assert not set(ids(result)) & set(blocked(redis_client, SHOP))
    assert sources == ["list", *["popular:segment:gold"] * 2, "popular:all", "none"]


def test_a_canarys_lists_are_masked_too(redis_client: Redis) -> None:
    publish(redis_client)
    staged(redis_client)
    release(redis_client, SHOP, 2, 100)
    block(redis_client, SHOP, ["A2"])
    assert ids(Shelf(redis_client, SHOP).get("ann")) == ("B2", "C2")
    block(redis_client, SHOP, ["B2", "C2"])
    result = Shelf(redis_client, SHOP).get("ann")
    assert (result.source, result.generation) == ("list", 1)  # nothing of the canary is left


def test_it_holds_for_the_generations_to_come(redis_client: Redis) -> None:
    publish(redis_client)
    block(redis_client, SHOP, ["A2"])
    publish(redis_client)
    assert ids(Shelf(redis_client, SHOP).get("ann")) == ("B2", "C2")


def test_the_last_good_copy_is_masked_once_the_block_was_seen(
    own_redis_url: str, own_redis_client: Redis
) -> None:
    clock = Clock()
    publish(own_redis_client)
    with closing(Redis.from_url(own_redis_url, socket_timeout=0.05)) as client:
        shelf = Shelf(client, SHOP, clock=clock)
        assert ids(shelf.get("eve")) == ("B1", "C1", "A1")
        block(own_redis_client, SHOP, ["B1"])
        clock.now_s = POINTER_CACHE_S
        assert ids(shelf.get("eve")) == ("C1", "A1")
        os.kill(process_id(own_redis_url), signal.SIGSTOP)
        for now_s in (1.5, 3.0):  # what was seen kept, and asked for
            clock.now_s = now_s
            result = shelf.get("ann", 2)
            assert (result.source, ids(result)) == ("last-good", ("C1", "A1"))


def test_the_last_good_copy_has_it_again_once_unblocked(redis_client: Redis) -> None:
    """The copy was made while the item was blocked, and no generation has come since."""
    clock = Clock()
    publish(redis_client)
    block(redis_client, SHOP, ["A1", "B1", "C1"])
    shelf = Shelf(redis_client, SHOP, settings=UNKEPT, clock=clock)
    assert shelf.get("ann") == Result((), "none")
    unblock(redis_client, SHOP, ["B1", "C1"])
    clock.now_s = POINTER_CACHE_S
    assert ids(shelf.get("eve")) == ("B1", "C1")
    unblock(redis_client, SHOP, ["A1"])
    redis_client.delete(*redis_client.keys(f"{KEYS.prefix(1)}*"))
    clock.now_s = 2 * POINTER_CACHE_S
    result = shelf.get("ann")
    assert (result.source, ids(result)) == ("last-good", ("B1", "C1", "A1"))


def seconds_until(done: Callable[[], bool]) -> float:
    """Ask again and again, as a busy page does; return the seconds until the answer was yes."""
    started = time.monotonic()
    while not done():
        assert time.monotonic() - started < 10, "it never came"
    return time.monotonic() - started


def test_within_two_seconds_by_the_clock_on_the_wall(redis_client: Redis) -> None:
    publish(redis_client)
    shelf = Shelf(redis_client, SHOP)
    assert ids(shelf.get("ann")) == ("A1", "B1", "C1")
    block(redis_client, SHOP, ["A1"])
    assert ids(shelf.get("ann")) == ("A1", "B1", "C1")  # what it saw is under a second old
    assert seconds_until(lambda: "A1" not in ids(shelf.get("ann"))) < 2
    assert shelf.get("ann").generation == 1
    unblock(redis_client, SHOP, ["A1"])
    assert seconds_until(lambda: "A1" in ids(shelf.get("ann"))) < 2


def test_a_full_redis_takes_it(own_redis_client: Redis) -> None:
    client = own_redis_client
    publish(client)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    with pytest.raises(OutOfMemoryError):
        client.sadd(KEYS.blocked, "A1")
    assert block(client, SHOP, ["A1"]) == 1
    assert ids(Shelf(client, SHOP).get("ann")) == ("B1", "C1")
    assert unblock(client, SHOP, ["A1"]) == 1
    assert ids(Shelf(client, SHOP).get("ann")) == ("A1", "B1", "C1")


def test_what_is_counted_and_kept(redis_client: Redis) -> None:
    many = [f"i{number:04}" for number in range(2_500)]
    assert block(redis_client, SHOP, ["B2", "A7", "B2"]) == 2
    assert block(redis_client, SHOP, ["B2", "é:* "]) == 1
    assert blocked(redis_client, SHOP) == ["A7", "B2", "é:* "]
    assert block(redis_client, SHOP, many) == 2_500
    assert Shelf(redis_client, SHOP).status().n_blocked == 2_503
    assert redis_client.ttl(KEYS.blocked) == -1
    assert unblock(redis_client, SHOP, [*many, *many, "none"]) == 2_500
    assert blocked(redis_client, SHOP) == ["A7", "B2", "é:* "]
    assert block(redis_client, SHOP, []) == unblock(redis_client, SHOP, []) == 0
    assert blocked(redis_client, "shop.b") == []


@pytest.mark.parametrize("item", ["", "x" * 513, "\ud800"])
def test_what_is_no_id_blocks_nothing(redis_client: Redis, item: str) -> None:
    for act in (block, unblock):
        with pytest.raises(InvalidKey):
            act(redis_client, SHOP, ["A1", item])
    assert not redis_client.exists(KEYS.blocked)


def test_a_key_of_another_type_takes_no_list_away(redis_client: Redis) -> None:
    clock = Clock()
    publish(redis_client)
    block(redis_client, SHOP, ["A1"])
    shelf = Shelf(redis_client, SHOP, settings=UNKEPT, clock=clock)
    assert ids(shelf.get("ann")) == ("B1", "C1")
    redis_client.set(KEYS.blocked, "A1")
    publish(redis_client)
    clock.now_s = POINTER_CACHE_S
    result = shelf.get("ann")
    assert (result.source, ids(result)) == ("list", ("A2", "B2", "C2"))  # nights go on
    redis_client.copy(KEYS.list(1, "als", "ann"), KEYS.list(2, "als", "ann"), replace=True)
    assert ids(shelf.get("ann")) == ("B1", "C1")  # the set that was read last holds on
    assert Shelf(redis_client, SHOP).get("ann").source == "list"
    assert "WRONGTYPE" in str(shelf.status().error)
    redis_client.delete(KEYS.blocked)
    clock.now_s = 2 * POINTER_CACHE_S
    assert ids(shelf.get("ann")) == ("A1", "B1", "C1")


def test_a_reader_that_may_not_ask_still_reads(own_redis_url: str, own_redis_client: Redis) -> None:
    publish(own_redis_client)
    own_redis_client.acl_setuser(
        "reader",
        enabled=True,
        nopass=True,
        keys=["shelf:{shop}:current", "shelf:shop:1:*"],
        categories=["+@read"],
    )
    url = own_redis_url.replace("redis://", "redis://reader:any@")
    with closing(Redis.from_url(url)) as client:
        assert Shelf(client, SHOP).get("ann").source == "list"


@pytest.mark.parametrize("as_text", [False, True])
def test_whatever_the_client_makes_of_bytes(
    redis_client: Redis, redis_url: str, as_text: bool
) -> None:
    publish(redis_client)
    block(redis_client, SHOP, ["A1", "é"])
    with closing(Redis.from_url(redis_url, decode_responses=as_text)) as client:
        assert ids(Shelf(client, SHOP).get("ann")) == ("B1", "C1")


def test_a_member_that_is_no_text_masks_nothing(redis_client: Redis) -> None:
    publish(redis_client)
    redis_client.sadd(KEYS.blocked, b"\xff", "A1")
    assert ids(Shelf(redis_client, SHOP).get("ann")) == ("B1", "C1")
    assert blocked(redis_client, SHOP) == ["A1", "\N{REPLACEMENT CHARACTER}"]


@pytest.mark.parametrize("reason", [[], ["because"], ["similar"], ["because", "B1", "A1"]])
def test_a_reason_of_an_odd_length_reaches_no_reader_as_an_error(
    redis_client: Redis, reason: list[str]
) -> None:
    publish(redis_client)
    odd = RankedList(("B1",), (1.0,), (tuple(reason),))
    redis_client.set(KEYS.list(1, "als", "ann"), odd.to_json())
    block(redis_client, SHOP, ["A1"])
    (item,) = Shelf(redis_client, SHOP).get("ann").items
    assert item.reason == (("taste",) if "A1" in reason else tuple(reason))


names = st.sampled_from("ABCDE")
reasons = st.one_of(
    st.tuples(st.sampled_from(["because", "similar", "popular"]), names),
    st.sampled_from([("taste",), ("again",), ("new",)]),
)


@given(
    rows=st.lists(st.tuples(names, reasons), unique_by=lambda row: row[0]), blocked=st.sets(names)
)
def test_without_is_what_is_left(rows: list[tuple[str, Reason]], blocked: set[str]) -> None:
    scored = [(item, 1 / rank, reason) for rank, (item, reason) in enumerate(rows, start=1)]
    ranked = RankedList(*zip(*scored, strict=True)) if scored else RankedList((), (), ())
    expected: list[tuple[str, float, Reason]] = []
    for item, score, reason in scored:
        named = {reason[1]} if reason[0] in ("because", "similar") else set()
        if item not in blocked:
            expected.append((item, score, ("taste",) if named & blocked else reason))
    left = ranked.without(blocked)
    assert list(zip(left.items, left.scores, left.reasons, strict=True)) == expected
