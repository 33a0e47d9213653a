"""Recent events in feature rows, against the definition, on real servers."""

import json
import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from nightshelf import Effect, Event, ReadSettings, Shelf
from nightshelf.admin.canary import release
from nightshelf.admin.erasure import forget
from nightshelf.admin.item_updates import revise
from nightshelf.client.core import feature_rows as features
from nightshelf.client.transport.connection import connect
from nightshelf.contract.feature_rules import Counting
from nightshelf.contract.keys import MAX_RECENT, QUARTER_S, Keys
from nightshelf.contract.values import Manifest
from tests.lookup.client.test_tracking import until
from tests.lookup.clients import ShelfOf
from tests.lookup.shelves import SHOP, UNKEPT, Clock, publish, staged

KEYS = Keys(SHOP)
NIGHT = datetime(2026, 3, 4, tzinfo=UTC)
NINE = NIGHT + timedelta(hours=9)
COUNTING = Counting(
    weights={"purchase": 5.0, "rating": 1.0, "view": 1.0, "dislike": -3.0},
    half_life_days=60.0,
    views=("view", "click"),
    ratings=("rating", "dislike"),
    idle=("profile_update",),
    n_recent=4,
)
NEW: dict[str, Any] = {
    "segment": None, "created_at": None, "first_seen": None, "last_seen": None, "events": 0,
    "total_purchases": 0, "num_ratings": 0, "avg_rating": None, "favorite_categories": [],
    "recent_views": [],
}  # fmt: skip
ITEM = {"title": "Lamp", "popularity_score": 8.0, "avg_rating": 4.0, "num_ratings": 2}


def text(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def live(client: Redis, generation: int = 1, *, as_of: datetime = NIGHT, **more: Any) -> None:
    """Say by hand what is live, and how it counts."""
    manifest = Manifest(generation, as_of.isoformat(), counting=COUNTING, **more)
    client.set(KEYS.current, manifest.to_json())


def put(client: Redis, key: str, row: dict[str, Any]) -> None:
    client.set(key, json.dumps(row), ex=900)


@contextmanager
def clock_at(now: datetime) -> Iterator[None]:
    """Stop the clock by which scores are aged."""

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return now

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(features, "datetime", Stopped)
        yield


def test_a_user_and_an_item_within_the_call(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, trips: Any
) -> None:
    live(redis_client)
    put(redis_client, KEYS.item(1, "A1"), ITEM)
    put(redis_client, KEYS.user(1, "ann"), NEW | {
        "created_at": "2025-01-01T00:00:00Z", "first_seen": "2026-01-01T00:00:00Z",
        "last_seen": "2026-03-03T12:00:00.5Z", "events": 7, "num_ratings": 3, "avg_rating": 3.2,
        "favorite_categories": ["Lamps"], "recent_views": ["B1", "A1", "D1", "E1"],
    })  # fmt: skip
    shelf, other = shelf_of(redis_url), shelf_of(redis_url)
    assert shelf.user_features("ann")["events"] == 7  # kept in the process
    assert shelf.item_features(["A1"])["A1"] == ITEM
    shelf.acted("ann", "view", "A1", at=NINE)
    shelf.clicked("ann", "C1", at=NINE + timedelta(seconds=1))
    shelf.acted("ann", "rating", "A1", 5, at=NINE + timedelta(seconds=2))
    shelf.acted("ann", "purchase", "A1", 9.5, at=NINE + timedelta(seconds=3, microseconds=7))
    shelf.acted("ann", "profile_update")
    trips.batches.clear()
    with clock_at(NINE):
        for each in (shelf, other):
            assert each.user_features("ann") == {
                "segment": None,
                "created_at": "2025-01-01T00:00:00Z",
                "first_seen": "2026-01-01T00:00:00Z",
                "last_seen": "2026-03-04T09:00:03.000007Z",
                "events": 11,
                "total_purchases": 1,
                "num_ratings": 4,
                "avg_rating": 3.65,
                "favorite_categories": ["Lamps"],
                "recent_views": ["C1", "A1", "B1", "D1"],
            }
            assert each.item_features(["A1", "C1"])["A1"] == ITEM | {
                "popularity_score": 15.0,
                "avg_rating": 13 / 3,
                "num_ratings": 3,
            }
    assert trips.batches == [
        "MGET+ZRANGE",
        "MGET+HGETALL+HGETALL",
        "GET+SMEMBERS+SMEMBERS",
        "MGET",
        "MGET+ZRANGE",
        "MGET+HGETALL+HGETALL",
    ]


def test_whom_and_what_no_row_knows(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    live(redis_client)
    shelf = shelf_of(redis_url)
    shelf.acted("new", "view", "A1", at=NINE)
    shelf.acted("new", "view", "B1", at=NINE)
    assert shelf.user_features(["new", "nobody"]) == {
        "new": NEW | {
            "created_at": "2026-03-04T09:00:00Z", "first_seen": "2026-03-04T09:00:00Z",
            "last_seen": "2026-03-04T09:00:00Z", "events": 2, "recent_views": ["A1", "B1"],
        }
    }  # fmt: skip
    assert shelf.item_features(["A1"]) == {}  # nobody knows what it is


def test_golden_bytes(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    shelf = shelf_of(redis_url)
    at = datetime(2026, 3, 4, 9, 14, 59, 250_000, tzinfo=UTC)
    shelf.acted("a:b", "rating", "é 1", 4.5, at=at, event_id="e1")
    shelf.clicked("a:b", "B2", at=at + timedelta(seconds=1), event_id="e2")
    client = redis_client
    assert client.zrange("shelf:shop:recent:{a%3Ab}", 0, -1, withscores=True) == [
        ('["e1","rating","é 1",4.5]'.encode(), 1772615699.25),
        (b'["e2","click","B2"]', 1772615700.25),
    ]
    assert client.hgetall("shelf:shop:recent-item:%C3%A9%201") == {
        b"1969572:rating": b"1",
        b"1969572:rating:n": b"1",
        b"1969572:rating:sum": b"4500000",
    }
    assert client.hgetall("shelf:shop:recent-item:B2") == {b"1969573:click": b"1"}


def test_told_twice_counts_once(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, trips: Any
) -> None:
    live(redis_client)
    put(redis_client, KEYS.item(1, "A1"), ITEM)
    first, again = shelf_of(redis_url), shelf_of(redis_url)
    first.acted("ann", "rating", "A1", 1.0, at=NINE, event_id="e1")
    assert again.counting() == COUNTING
    trips.batches.clear()
    for shelf in (first, again):  # also by another process, and by another clock
        assert shelf.acted("ann", "rating", "A1", 1.0, event_id="e1").recorded
    assert trips.batches[1::2] == ["HINCRBY+HINCRBY+HINCRBY+EXPIRE"] * 2
    again.acted("ann", "rating", "A1", 1.5, at=NINE + timedelta(seconds=1), event_id="e1")
    click = Event("ann", "click", "A1", at=NINE)
    assert again.record([click, click, click]).recorded
    row = first.user_features("ann")
    assert (row["events"], row["num_ratings"], row["avg_rating"]) == (2, 1, 1.0)
    row = again.item_features(["A1"])["A1"]
    assert row["num_ratings"] == 2 + 1 + 1  # the same id, and not the same event
    counts: Any = redis_client.hgetall(KEYS.recent_item("A1"))
    quarter = int(NINE.timestamp()) // QUARTER_S
    assert counts[f"{quarter}:click".encode()] == b"1"


def test_what_waits_for_the_night(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    live(redis_client)
    row = NEW | {"last_seen": text(NINE), "events": 3}
    put(redis_client, KEYS.user(1, "ann"), row)
    shelf = shelf_of(redis_url)
    for value in (-1.0, 2e12, math.nan, math.inf):
        shelf.acted("ann", "rating", "A1", value)
    shelf.record([Event("ann", "impression", "A1")])
    put(redis_client, KEYS.item(1, "A1"), ITEM)
    shelf.acted("ann", "profile_update", "A1")  # idle
    assert shelf.item_features(["A1"])["A1"] == ITEM
    shelf.acted("ann", "view", "A1", at=NINE)  # the row holds all up to then
    assert shelf.user_features("ann") == row
    assert redis_client.hlen(KEYS.recent_item("A1")) == 2


def test_a_night_that_does_not_say_how_it_counts(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    redis_client.set(KEYS.current, Manifest(1, NIGHT.isoformat()).to_json())
    put(redis_client, KEYS.item(1, "A1"), ITEM)
    shelf = shelf_of(redis_url)
    shelf.acted("ann", "view", "A1")
    assert shelf.user_features("ann") == {}
    assert shelf.item_features(["A1"]) == {"A1": ITEM}


def test_what_is_not_ours_is_passed_over(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    live(redis_client)
    shelf = shelf_of(redis_url)
    odd = {member: NINE.timestamp() for member in (
        b"", b"\xff", b"[", b"7", b"{}", b'["e"]', b'["e","view",1]', b'["e","rating","A1","x"]',
        b'["e","rating","A1",1e999]', b"[" * 5_000,
    )}  # fmt: skip
    redis_client.zadd(KEYS.recent("ann"), odd)
    far = {
        '["far","view","A1"]': math.inf,
        '["then","view","A1"]': -1.0,
        '["so","view","A1"]': 1e300,
    }
    redis_client.zadd(KEYS.recent("ann"), far)
    for field in (b"", b"x:view", b"\xff:view", b"1:%ff", b"9" * 400 + b":view"):
        redis_client.hset(KEYS.recent_item("A1"), field, 1)
    redis_client.hset(KEYS.recent_item("A1"), f"{int(NINE.timestamp()) // QUARTER_S}:view", "x")
    put(redis_client, KEYS.item(1, "A1"), ITEM)
    assert shelf.user_features("ann") == {}
    assert shelf.item_features(["A1"]) == {"A1": ITEM}
    shelf.acted("ann", "view", "A1", at=NINE)
    assert shelf.user_features("ann")["events"] == 1
    put(redis_client, KEYS.user(1, "bob"), {"events": "many"})
    shelf.acted("bob", "view", "A1", at=NINE)
    assert shelf.user_features("bob") == {"events": "many"}
    assert shelf.counters().causes["corrupt"] == 1
    redis_client.set(KEYS.recent("cid"), b"a string")
    assert shelf.user_features(["cid", "ann"]).keys() == {"ann"}


def test_a_canarys_users_by_its_rows(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    out = staged(redis_client)
    release(redis_client, SHOP, out, 100)
    value: bytes = redis_client.get(KEYS.current)  # type: ignore[assignment]
    counted = replace(Manifest.from_json(value), counting=COUNTING)
    redis_client.set(KEYS.current, counted.to_json())
    put(redis_client, KEYS.user(1, "ann"), NEW | {"events": 1, "last_seen": text(NIGHT)})
    put(redis_client, KEYS.user(out, "ann"), NEW | {"events": 5, "last_seen": text(NINE)})
    shelf = Shelf(redis_client, SHOP)
    shelf.acted("ann", "view", "A1", at=NINE - timedelta(hours=1))
    assert shelf.user_features("ann")["events"] == 5
    shelf.acted("ann", "view", "A1", at=NINE + timedelta(hours=1))
    assert shelf.user_features("ann")["events"] == 6


class TrackedEvent(NamedTuple):
    """An event of the one user, by its number: `at_s` after the first night."""

    event_id: str
    event_type: str
    item_id: str
    value: float | None
    at_s: float


def user_row(tracked: list[TrackedEvent]) -> dict[str, Any]:
    """Define a user's row: everything recomputed from every event."""
    once = list({each.event_id: each for each in tracked}.values())
    if not once:
        return NEW
    times = sorted(NIGHT + timedelta(seconds=each.at_s) for each in once)
    rated = [
        each.value
        for each in once
        if each.event_type in ("rating", "dislike") and each.value is not None
    ]
    viewed: dict[str, float] = {}
    for each in once:
        if each.event_type in ("view", "click"):
            viewed[each.item_id] = max(each.at_s, viewed.get(each.item_id, -math.inf))
    return NEW | {
        "created_at": text(times[0]),
        "first_seen": text(times[0]),
        "last_seen": text(times[-1]),
        "events": len(once),
        "total_purchases": sum(each.event_type == "purchase" for each in once),
        "num_ratings": len(rated),
        "avg_rating": sum(round(value * 1e6) for value in rated) / len(rated) / 1e6
        if rated
        else None,
        "recent_views": sorted(viewed, key=lambda item: (-viewed[item], item))[:4],
    }


ACTIONS = {kind: Effect() for kind in ("view", "click", "rating", "dislike", "purchase", "wave")}
acts = st.tuples(
    st.just("act"),
    st.sampled_from(list(ACTIONS)),
    st.sampled_from(["A1", "B1", "C1", "D1", "E1", "F1"]),
    st.sampled_from([None, 0.0, 3.3, 4.5, 1.000001]),
    st.sampled_from([0.000001, 1.0, 700.0, 3600.0, 100_000.0]),
)
happens = st.tuples(
    st.sampled_from(["again", "refresh", "night", "end of fresh", "end of recent"]),
    st.integers(0, 3),
)
lives = st.lists(acts | acts | acts | happens, max_size=30)


@settings(max_examples=150)
@given(lives)
def test_any_life_of_a_user(redis_client: Redis, life: list[tuple[Any, ...]]) -> None:
    client = redis_client
    client.flushdb()
    live(client)
    shelf = Shelf(client, SHOP, settings=ReadSettings(max_bytes=0, actions=ACTIONS))
    tracked: list[TrackedEvent] = []
    night: list[TrackedEvent] = []
    fresh: list[TrackedEvent] | None = None
    recent: list[TrackedEvent] = []

    def track(each: TrackedEvent) -> None:
        at = NIGHT + timedelta(seconds=each.at_s)
        shelf.acted("ann", *each[1:4], at=at, event_id=each.event_id)
        recent.append(each)

    now_s = 0.0
    for what, *how in life:
        if what == "act":
            now_s += how[3]
            tracked.append(TrackedEvent(f"e{len(tracked)}", how[0], how[1], how[2], now_s))
            track(tracked[-1])
        elif what == "again" and tracked:
            track(tracked[-1 - how[0] % len(tracked)])
        elif what in ("refresh", "night"):
            heard = tracked[: max(0, len(tracked) - how[0])]  # the others are not collected yet
            key = KEYS.row_update("ann") if what == "refresh" else KEYS.user(1, "ann")
            if heard:
                put(client, key, user_row(heard))
                night, fresh = (night, heard) if what == "refresh" else (heard, fresh)
        elif what == "end of fresh":
            client.delete(KEYS.row_update("ann"))
            fresh = None
        elif what == "end of recent":
            client.delete(KEYS.recent("ann"))
            recent.clear()
        base = night if fresh is None else fresh
        last_s = max((each.at_s for each in base), default=-math.inf)
        held = {each.event_id for each in base}
        assert {each.event_id for each in recent if each.at_s <= last_s} <= held
        known = [*base, *(each for each in recent if each.at_s > last_s)]
        known.sort(key=lambda each: each.at_s)
        assert shelf.user_features("ann") == (user_row(known) if known else {})


def item_row(tracked: list[TrackedEvent], as_of_s: float, now_s: float) -> dict[str, Any]:
    """Define an item's counters from every event, as they stand at `now_s`."""

    def day(at_s: float) -> int:
        return (NIGHT + timedelta(seconds=at_s)).toordinal()

    weights = COUNTING.weights
    score = math.fsum(
        weights.get(each.event_type, 0) * 2 ** (-(day(now_s) - day(each.at_s)) / 60)
        for each in tracked
    )
    rated = [e.value for e in tracked if e.event_type in COUNTING.ratings and e.value is not None]
    return {
        "popularity_score": pytest.approx(score, rel=1e-9, abs=1e-8),
        "avg_rating": pytest.approx(sum(rated) / len(rated), abs=1e-6) if rated else None,
        "num_ratings": len(rated),
    }


def put_item(
    client: Redis, key: str, tracked: list[TrackedEvent], at_s: float, **more: Any
) -> None:
    row = item_row(tracked, at_s, at_s)
    put(
        client, key, {name: getattr(value, "expected", value) for name, value in row.items()} | more
    )


@settings(max_examples=150)
@given(lives)
def test_any_life_of_an_item(redis_client: Redis, life: list[tuple[Any, ...]]) -> None:
    client = redis_client
    client.flushdb()
    live(client)
    put_item(client, KEYS.item(1, "A1"), [], 0.0)
    shelf = Shelf(client, SHOP, settings=ReadSettings(max_bytes=0, actions=ACTIONS))
    tracked: list[TrackedEvent] = []
    bases: dict[str, tuple[list[TrackedEvent], float]] = {"night": ([], 0.0)}
    recent: list[TrackedEvent] = []
    now_s = 0.0
    for what, *how in life:
        if what == "act" and how[0] != "dislike":  # a score that was cut off at 0 has forgotten
            now_s += how[3]
            each = TrackedEvent(f"e{len(tracked)}", how[0], "A1", how[2], now_s)
            at = NIGHT + timedelta(seconds=now_s)
            for _ in range(1 + len(tracked) % 2):  # every other one is tracked twice
                shelf.acted(f"u{len(tracked)}", *each[1:4], at=at, event_id=each.event_id)
            tracked.append(each)
            recent.append(each)
        elif what in ("refresh", "night"):
            as_of_s = now_s // QUARTER_S * QUARTER_S
            heard = [each for each in tracked if each.at_s < as_of_s]
            bases[what] = heard, as_of_s
            as_of = NIGHT + timedelta(seconds=as_of_s)
            if what == "refresh":
                put_item(client, KEYS.item_update("A1"), heard, as_of_s, as_of=text(as_of))
            else:
                put_item(client, KEYS.item(1, "A1"), heard, as_of_s)
                live(client, as_of=as_of)
                shelf = Shelf(client, SHOP, settings=shelf._state.settings)
        elif what == "end of fresh":
            client.delete(KEYS.item_update("A1"))
            bases.pop("refresh", None)
        elif what == "end of recent":
            client.delete(KEYS.recent_item("A1"))
            recent.clear()
        base, as_of_s = bases.get("refresh", bases["night"])
        since = [each for each in recent if each.at_s >= as_of_s]
        with clock_at(NIGHT + timedelta(seconds=now_s)):
            found = shelf.item_features(["A1"])["A1"]
        read_at_s = now_s if since else as_of_s  # as it is, where there is nothing to add
        assert found == item_row([*base, *since], as_of_s, read_at_s)


def test_a_night_within_a_quarter_counts_nothing_twice(redis_client: Redis) -> None:
    live(redis_client, as_of=NINE + timedelta(minutes=5))
    put(redis_client, KEYS.item(1, "A1"), ITEM)
    shelf = Shelf(redis_client, SHOP, settings=UNKEPT)
    for minute in (4, 14, 15):
        shelf.acted("ann", "view", "A1", at=NINE + timedelta(minutes=minute))
    with clock_at(NINE):
        assert shelf.item_features(["A1"])["A1"]["popularity_score"] == 8.0 + 1.0


def test_on_both_servers_every_key_ends_and_is_bounded(
    own_redis_url: str, own_redis_client: Redis
) -> None:
    client: Any = own_redis_client
    live(client)
    options = ReadSettings(max_bytes=0, recent_user_ttl_s=600, recent_item_ttl_s=7200)
    shelf = Shelf(connect(own_redis_url, timeout_s=5), SHOP, settings=options)
    for at in range(MAX_RECENT + 50):
        shelf.acted("ann", "view", f"i{at:06}", at=NINE + timedelta(seconds=at))
    for at in range(24 * 60):
        for kind in ("view", "purchase"):
            shelf.acted(f"u{at}", kind, "hot", at=NINE + timedelta(seconds=15 * at))
    keys = [key.decode() for key in client.scan_iter("shelf:shop:recent*")]
    assert {KEYS.recent("ann"), KEYS.recent_item("hot"), KEYS.recent_item("i000000")} <= set(keys)
    for key in keys:
        most_s = 7200 if "recent-item" in key else 600
        assert most_s - 300 < client.ttl(key) <= most_s
    assert client.zcard(KEYS.recent("ann")) == MAX_RECENT
    assert client.memory_usage(KEYS.recent("ann")) < 80 * MAX_RECENT
    assert client.hlen(KEYS.recent_item("hot")) == 2 * 6 * 4
    assert client.memory_usage(KEYS.recent_item("hot")) < 2_000
    row = shelf.user_features("ann")
    assert row["events"] == MAX_RECENT
    assert row["recent_views"][0] == f"i{MAX_RECENT + 49:06}"

    for key in (KEYS.recent("ann"), KEYS.recent_item("i000000")):
        client.expire(key, 60)
    shelf.acted("ann", "view", "i000000")
    assert client.ttl(KEYS.recent("ann")) > 60  # from the last on
    assert client.ttl(KEYS.recent_item("i000000")) <= 60  # from the first on: so there is an end


def test_others_hear_of_it(redis_client: Redis, redis_url: str) -> None:
    live(redis_client, ttl_s=900)
    put(redis_client, KEYS.user(1, "ann"), NEW | {"events": 7})
    other = Shelf(redis_client, SHOP, clock=Clock())  # a clock that stands: no copy grows old
    here = Shelf(connect(redis_url, timeout_s=5), SHOP)
    with other.listening():
        until(lambda: other._state.listening)
        assert other.user_features("ann")["events"] == 7
        here.acted("ann", "view", "A1")
        until(lambda: other.user_features("ann")["events"] == 8)
        here.clicked("ann", "A1")
        until(lambda: other.user_features("ann")["events"] == 9)
        here.acted("ann", "purchase", "A1")
        until(lambda: other.user_features("ann")["events"] == 10)
        forget(redis_client, SHOP, "ann")
        until(lambda: other.user_features("ann") == {})


def test_forgetting_leaves_nothing(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    live(redis_client)
    shelf = shelf_of(redis_url)
    shelf.acted("a:nn", "view", "A1", at=NINE)
    shelf.acted("b", "view", "a:nn", at=NINE)  # an item may have a user's name
    found, left = forget(redis_client, SHOP, "a:nn")
    assert found.keys == (KEYS.recent("a:nn"),)
    assert len(found.entries) == 1
    assert not left
    assert shelf_of(redis_url).user_features(["a:nn", "b"]).keys() == {"b"}
    everything = b"".join(key + (redis_client.dump(key) or b"") for key in redis_client.scan_iter())
    assert b"a:nn" in everything  # as an item
    redis_client.delete(KEYS.recent("b"), KEYS.recent_item("a:nn"), KEYS.events)
    for key in redis_client.scan_iter():
        assert b"nn" not in key + (redis_client.dump(key) or b"")


def test_the_refresh_counts_and_does_not_hide_what_was_revised(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    live(redis_client)
    put(redis_client, KEYS.item(1, "A1"), ITEM | {"price": 3.0})
    fresh = ITEM | {"price": 3.0, "popularity_score": 9.0, "as_of": text(NINE)}
    put(redis_client, KEYS.item_update("A1"), fresh)
    put(redis_client, KEYS.item_update("gone"), fresh)
    revise(redis_client, SHOP, "A1", price=2.5)
    shelf = shelf_of(redis_url)
    rows = shelf.item_features(["A1", "gone"])
    assert rows["A1"] == ITEM | {"price": 2.5, "popularity_score": 9.0}
    assert rows["gone"] == ITEM | {"price": 3.0, "popularity_score": 9.0}


def test_in_the_newer_protocol_too(redis_client: Redis, redis_url: str) -> None:
    live(redis_client)
    put(redis_client, KEYS.item(1, "A1"), ITEM)
    with closing(Redis.from_url(redis_url, protocol=3)) as client:
        shelf = Shelf(client, SHOP, settings=UNKEPT)
        for event_id in ("e1", "e1", "e2"):
            assert shelf.acted("ann", "rating", "A1", 1.0, at=NINE, event_id=event_id).recorded
        assert shelf.user_features("ann")["events"] == 2
        row = shelf.item_features(["A1"])["A1"]
        assert (row["num_ratings"], row["avg_rating"]) == (4, 2.5)
