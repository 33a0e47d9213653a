"""Every level of the fallback, and a Redis that fails in every way it can."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer

from nightshelf import Item, ReadSettings, Result, Shelf
from nightshelf.admin.lifecycle import pin, rollback
from nightshelf.client.core.failures import failure
from nightshelf.contract.keys import POINTER_CACHE_S, Keys
from nightshelf.errors import InvalidKey
from tests.lookup.clients import RoundTrips, ShelfOf
from tests.lookup.shelves import SHOP, UNKEPT, Clock, ids, publish, ranked, record, staged

KEYS = Keys(SHOP)
NO_ID = ["", "x" * 513, "\ud800"]


def timeless(result: Result) -> Result:
    return replace(result, age_s=None)


def test_own_list(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    publish(redis_client)
    result = shelf_of(redis_url).get("ann", 2)
    because = ("because", "C1")
    assert timeless(result) == Result(
        (Item("A1", 1.0, because), Item("B1", 0.5, because)),
        "list",
        1,
        "als",
        None,
        False,
        "1.2.-.list%3Aals",
    )
    assert result.age_s is not None
    assert 0 <= result.age_s < 60


@pytest.mark.parametrize(
    ("user", "source", "items"),
    [
        ("bob", "popular:segment:gold", ("C1", "A1")),
        ("cid", "popular:all", ("B1", "C1", "A1")),
        ("dot", "popular:all", ("B1", "C1", "A1")),
        ("eve", "popular:all", ("B1", "C1", "A1")),
        *((raw, "popular:all", ("B1", "C1", "A1")) for raw in NO_ID),
    ],
)
def test_who_has_no_list_gets_the_nearest(
    redis_client: Redis,
    user: str,
    source: str,
    items: tuple[str, ...],
    shelf_of: ShelfOf,
    redis_url: str,
) -> None:
    publish(redis_client)
    result = shelf_of(redis_url).get(user)
    assert (result.source, ids(result)) == (source, items)
    assert (result.generation, result.model) == (1, None)


def test_no_segment_is_not_a_segment_of_that_name(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    publish(redis_client)
    redis_client.set(KEYS.popular(1, "segment:None"), ranked("decoy").to_json())
    assert shelf_of(redis_url).get("dot").source == "popular:all"


def test_similar_and_popular(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    publish(redis_client)
    shelf = shelf_of(redis_url)
    alike = shelf.similar("A1")
    assert (alike.source, ids(alike), alike.model) == ("similar", ("B1", "C1"), "als")
    assert alike.items[0].reason == ("similar", "A1")
    assert shelf.popular().source == "popular:all"
    assert shelf.popular("trending").source == "popular:trending"
    assert shelf.popular("category:Lamps").source == "popular:category:Lamps"


@pytest.mark.parametrize("name", ["zz", *NO_ID])
def test_unknown_items_and_segments_get_what_everyone_likes(
    redis_client: Redis, name: str, shelf_of: ShelfOf, redis_url: str
) -> None:
    publish(redis_client)
    shelf = shelf_of(redis_url)
    for result in (shelf.similar(name), shelf.popular(name), shelf.popular(f"category:{name}")):
        assert (result.source, ids(result)) == ("popular:all", ("B1", "C1", "A1"))


def test_item_features(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    publish(redis_client)
    redis_client.set(KEYS.item(1, "odd"), b"[1]")
    rows = shelf_of(redis_url).item_features(["A1", "zz", "odd", *NO_ID])
    assert rows == {"A1": {"title": "Lamp 1", "category": "Lamps"}}
    assert shelf_of(redis_url).item_features([]) == {}


@pytest.fixture
def shelves(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> tuple[Shelf, Shelf]:
    """Publish, and open two shelves, of which the second keeps no copies."""
    publish(redis_client)
    return shelf_of(redis_url), shelf_of(redis_url, settings=UNKEPT)


@given(
    users=st.lists(st.sampled_from(["ann", "bob", "cid", "dot", "eve", *NO_ID]), max_size=8),
    n=st.integers(1, 5),
)
def test_many_is_each(shelves: tuple[Shelf, Shelf], users: list[str], n: int) -> None:
    shelf, plain = shelves
    together = [replace(timeless(result), cached=False) for result in shelf.get_many(users, n)]
    assert together == [timeless(plain.get(user, n)) for user in users]
    assert all(len(result.items) <= n for result in together)


def test_round_trips(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, trips: RoundTrips
) -> None:
    publish(redis_client)
    shelf = shelf_of(redis_url, settings=UNKEPT, clock=Clock())

    def commands(users: list[str]) -> list[str]:
        trips.batches.clear()
        shelf.get_many(users)
        return trips.batches

    # The pointer and the excluded items, the last good copy, the list and its masks.
    assert commands(["ann"]) == ["GET+SMEMBERS+SMEMBERS", "MGET", "MGET+ZRANGE"]
    assert commands(["ann", "ann"]) == ["MGET+ZRANGE"]
    assert commands(["ann", "bob", "eve"]) == ["MGET+ZRANGE+ZRANGE+ZRANGE", "MGET", "MGET"]
    assert commands([]) == []


@pytest.mark.parametrize("n", [0, -1])
def test_n_is_at_least_one(
    redis_client: Redis, dead_url: str, n: int, shelf_of: ShelfOf, redis_url: str
) -> None:
    for shelf in (shelf_of(redis_url), Shelf.from_url(dead_url, SHOP)):
        for ask in (shelf.get, shelf.similar, shelf.popular):
            with pytest.raises(ValueError, match="n must be at least 1"):
                ask("ann", n)
        with pytest.raises(ValueError, match="n must be at least 1"):
            shelf.get_many([], n)


def test_namespace_that_is_none(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    with pytest.raises(InvalidKey):
        shelf_of(redis_url, "a:b")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff\x00",
        b"null",
        b"[]",
        b'{"items":[]}',
        b'{"items":[1],"scores":[1],"reasons":[["taste"]],"why":[0]}',
        b"[" * 100_000,
        ranked().to_json(),
    ],
)
@pytest.mark.parametrize("decode", [False, True])
def test_corrupt_values_count_as_absent(
    redis_client: Redis, redis_url: str, value: bytes, decode: bool
) -> None:
    publish(redis_client)
    redis_client.set(KEYS.list(1, "als", "ann"), value)
    redis_client.set(KEYS.similar(1, "A1"), value)
    redis_client.set(KEYS.popular(1, "trending"), value)
    redis_client.set(KEYS.user(1, "ann"), value)
    with closing(Redis.from_url(redis_url, decode_responses=decode)) as client:
        shelf = Shelf(client, SHOP)
        for result in (shelf.get("ann"), shelf.similar("A1"), shelf.popular("trending")):
            assert ids(result) == ("B1", "C1", "A1")
            assert result.source == "popular:all" or (decode and value == b"\xff\x00")


def test_a_key_of_another_type_counts_as_absent(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    publish(redis_client)
    key = KEYS.list(1, "als", "ann")
    redis_client.delete(key)
    redis_client.lpush(key, "x")
    assert shelf_of(redis_url).get("ann").source == "popular:all"


@pytest.mark.parametrize("value", [b"", b"\xff", b"{}", b"[" * 100_000, b'{"generation":"1"}'])
def test_corrupt_pointer_is_nothing_live(
    redis_client: Redis, value: bytes, shelf_of: ShelfOf, redis_url: str
) -> None:
    publish(redis_client)
    redis_client.set(KEYS.current, value)
    shelf = shelf_of(redis_url)
    assert shelf.get("ann") == Result((), "none")
    status = shelf.status()
    assert status.reachable
    assert status.live is None
    assert (status.error is None) == (value == b"")


def test_nothing_published(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    shelf = shelf_of(redis_url)
    assert shelf.get_many(["ann", ""]) == [Result((), "none")] * 2
    assert shelf.similar("A1") == shelf.popular() == Result((), "none")
    assert shelf.item_features(["A1"]) == {}


def test_a_flip_is_seen_once_the_pointer_is_a_second_old(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    clock = Clock()
    shelf = shelf_of(redis_url, clock=clock)
    publish(redis_client)
    assert shelf.get("ann").generation == 1
    publish(redis_client)
    clock.now_s = POINTER_CACHE_S - 0.001
    assert ids(shelf.get("ann")) == ("A1", "B1", "C1")
    clock.now_s = POINTER_CACHE_S
    assert ids(shelf.get("ann")) == ("A2", "B2", "C2")
    rollback(redis_client, SHOP)
    clock.now_s = 2 * POINTER_CACHE_S
    result = shelf.get("ann")
    assert (result.generation, ids(result)) == (1, ("A1", "B1", "C1"))


def test_an_answer_is_of_one_generation(redis_client: Redis) -> None:
    publish(redis_client)
    ticks = iter(range(10**9))
    shelf = Shelf(
        redis_client, SHOP, settings=UNKEPT, clock=lambda: float(next(ticks))
    )  # the pointer never keeps

    def read(_: int) -> set[int | None]:
        seen = set()
        for result in shelf.get_many(["ann", "bob", "eve"]):
            assert result.source != "last-good"
            assert {int(item.item_id[1:]) for item in result.items} == {result.generation}
            seen.add(result.generation)
        assert len(seen) == 1
        return seen

    with ThreadPoolExecutor(3) as pool:
        reads = pool.map(read, range(300))
        for _ in range(30):
            publish(redis_client)
        seen = set().union(*reads)
    assert len(seen) > 1


def test_what_the_process_has_is_not_asked_for(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, trips: RoundTrips
) -> None:
    publish(redis_client)
    shelf = shelf_of(redis_url, clock=Clock())
    first = {user: shelf.get(user) for user in ("ann", "bob", "eve")}
    trips.batches.clear()
    again = {user: shelf.get(user) for user in first}
    assert trips.batches == []
    assert {user: replace(timeless(result), cached=False) for user, result in again.items()} == {
        user: timeless(result) for user, result in first.items()
    }
    assert all(result.cached for result in again.values())
    assert not any(result.cached for result in first.values())
    assert shelf.counters().hits > 0


def test_the_last_good_copy_serves_where_the_generation_has_left(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    clock = Clock()
    shelf = shelf_of(redis_url, settings=UNKEPT, clock=clock)
    publish(redis_client)
    assert shelf.get("ann").source == "list"
    redis_client.flushdb()
    for now_s in (0.5, 2.0):
        clock.now_s = now_s
        result = shelf.get("ann", 2)
        assert (result.source, result.generation, ids(result)) == ("last-good", 1, ("B1", "C1"))
    assert result.age_s is not None


def test_the_last_good_copy_follows_the_pointer(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, trips: RoundTrips
) -> None:
    clock = Clock()
    shelf = shelf_of(redis_url, settings=UNKEPT, clock=clock)
    for number in (1, 2):
        publish(redis_client)
        clock.now_s = 10.0 * number
        assert shelf.get("ann").generation == number
    trips.fault = NoConnection("gone")
    assert ids(shelf.get("ann")) == ("B2", "C2", "A2")


@pytest.mark.parametrize(
    "fault",
    [
        NoConnection("refused"),
        NoAnswer("timeout"),
        BusyLoadingError("loading"),
        AuthenticationError("wrong password"),
        NoPermissionError("no"),
        OutOfMemoryError("full"),
        ReadOnlyError("replica"),
        ClusterDownError("down"),
        RedisError("other"),
        OSError("reset"),
    ],
    ids=lambda fault: type(fault).__name__,
)
@pytest.mark.parametrize("good_for", range(5))
def test_no_fault_reaches_the_reader(
    redis_client: Redis,
    shelf_of: ShelfOf,
    redis_url: str,
    trips: RoundTrips,
    fault: Exception,
    good_for: int,
) -> None:
    """Redis fails after `good_for` commands; a failure costs one command, the rest is not tried."""
    publish(redis_client)
    trips.fault, trips.good_for = fault, good_for
    shelf = shelf_of(redis_url, settings=UNKEPT, clock=Clock())
    sources = [result.source for result in shelf.get_many(["ann", "bob"])]
    missing = "none" if good_for < 2 else "last-good"
    assert sources == ["list" if good_for > 2 else missing, missing]
    assert len(trips.batches) == good_for + 1
    for result in (shelf.get("ann"), shelf.popular(), shelf.similar("A1")):
        assert result.source == missing
    assert shelf.item_features(["A1"]) == {}
    status = shelf.status()
    assert (status.reachable, status.error) == (False, str(failure(fault, 5.0)))


def test_dead_port(dead_url: str) -> None:
    shelf = Shelf.from_url(dead_url, SHOP)
    started = time.perf_counter()
    assert shelf.get("ann") == Result((), "none")
    assert time.perf_counter() - started < 0.5
    status = shelf.status()
    assert not status.reachable
    assert "refused" in (status.error or "")


def test_wrong_password(own_redis_url: str, own_redis_client: Redis) -> None:
    publish(own_redis_client)
    own_redis_client.config_set("requirepass", "right")
    place = own_redis_url.removeprefix("redis://")
    wrong = Shelf.from_url(f"redis://:wr0ng-secret@{place}", SHOP)
    assert wrong.get("ann") == Result((), "none")
    status = wrong.status()
    assert not status.reachable
    assert status.error
    assert "wr0ng-secret" not in f"{wrong!r} {status!r}"
    assert Shelf.from_url(f"redis://:right@{place}", SHOP).get("ann").source == "list"


def test_repr_tells_where_and_no_secret() -> None:
    shelf = Shelf.from_url("redis://joe:s3cret@db.example:6380/4", SHOP)
    assert repr(shelf) == "Shelf(db.example:6380/4, 'shop')"
    assert (
        repr(Shelf.from_url("unix:///run/redis.sock", SHOP)) == "Shelf(/run/redis.sock/0, 'shop')"
    )


@pytest.mark.parametrize(
    "url", ["localhost:6379", "http://:s3cret@db/0", "redis://:s3cret/x@db:6379/0"]
)
def test_a_url_that_is_none_keeps_its_secret(url: str) -> None:
    with pytest.raises(ValueError, match="not a Redis URL") as refused:
        Shelf.from_url(url, SHOP)
    assert "s3cret" not in str(refused.value)


def test_more_threads_than_connections(redis_url: str, redis_client: Redis) -> None:
    publish(redis_client)
    shelf = Shelf.from_url(redis_url, SHOP)
    with ThreadPoolExecutor(80) as pool:
        sources = {result.source for result in pool.map(shelf.get, ["ann"] * 800)}
    assert sources <= {"list", "last-good", "none"}  # a wait for a connection ends after 50 ms
    assert "list" in sources


def test_status(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    shelf = shelf_of(redis_url)
    assert shelf.status().live is None
    publish(redis_client)
    live = publish(redis_client)
    staged(redis_client)
    status = shelf.status()
    assert status.reachable
    assert status.live == live
    assert status.states == {1: "previous", 2: "live", 3: "staged"}
    assert status.age_s is not None
    assert status.server is not None
    assert status.server.split()[0] in ("valkey", "redis")
    assert status.error is None
    assert status.pinned is None
    pin(redis_client, SHOP, 2)
    assert shelf.status().pinned == 2


def test_status_without_the_right_to_ask_for_the_version(
    own_redis_url: str, own_redis_client: Redis
) -> None:
    publish(own_redis_client)
    own_redis_client.acl_setuser(
        "reader", enabled=True, nopass=True, keys=["shelf:*"], categories=["+@read"]
    )
    url = own_redis_url.replace("redis://", "redis://reader:any@")
    shelf = Shelf.from_url(url, SHOP, settings=ReadSettings(deadline_s=5))  # rights, not speed
    status = shelf.status()
    assert status.reachable, status.error
    assert status.server is None
    assert shelf.get("ann").source == "list"


def test_age_of_a_generation_whose_time_is_none(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    live = publish(redis_client)
    for published_at, known in [("", False), ("soon", False), ("2999-01-01T00:00:00+00:00", True)]:
        odd = replace(live, published_at=published_at)
        redis_client.set(KEYS.current, odd.to_json())
        record(redis_client, odd)
        age_s = shelf_of(redis_url).get("ann").age_s
        assert age_s == (0 if known else None)


def test_age_counts_from_publication(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    live = publish(redis_client)
    an_hour_ago = datetime.fromtimestamp(time.time() - 3600, UTC).isoformat()
    redis_client.set(KEYS.current, replace(live, published_at=an_hour_ago).to_json())
    assert shelf_of(redis_url).get("eve").age_s == pytest.approx(3600, abs=30)
