"""Tracking: masks on every path, the log, the refresh queue, invalidation of other processes."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from nightshelf import Effect, Event, ReadSettings, Shelf, TrackingReceipt
from nightshelf.admin.blocklist import block
from nightshelf.admin.erasure import Traces, forget, traces
from nightshelf.admin.item_updates import revise
from nightshelf.client.transport.connection import connect
from nightshelf.contract.feature_rules import Counting
from nightshelf.contract.keys import DEFAULT_TTL_S, MAX_ID_BYTES, MAX_MASKED, Keys
from nightshelf.errors import CorruptValue, InvalidKey
from tests.lookup.clients import ShelfOf
from tests.lookup.shelves import SHOP, TTL_S, Clock, entries, ids, publish, ranked

KEYS = Keys(SHOP)
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
TOLD_S = 3.0


def test_an_action_in_one_round_trip(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, trips: Any
) -> None:
    publish(redis_client)
    shelf = shelf_of(redis_url)
    shelf.get("ann")
    trips.batches.clear()
    receipt = shelf.acted(
        "ann", "purchase", "A1", 9.5, at=AT, event_id="e1", position=2, model="als"
    )
    assert receipt == TrackingReceipt(("e1",), recorded=True)
    counted = "ZADD+ZREMRANGEBYRANK+EXPIRE+HINCRBY+HINCRBY+HINCRBY+EXPIRE"
    felt = "ZADD+ZREMRANGEBYRANK+EXPIRE+ZADD+EXPIRE+PUBLISH"
    assert trips.batches == [f"XADD+XLEN+{counted}+{felt}"]
    assert entries(redis_client) == [
        {
            "event_id": "e1",
            "user_id": "ann",
            "event_type": "purchase",
            "ts": "2026-03-04T05:06:07+00:00",
            "item_id": "A1",
            "value": "9.5",
            "model": "als",
            "position": "2",
        }
    ]
    scored = redis_client.zrange(KEYS.masked("ann"), 0, -1, withscores=True)
    assert scored == [(b"A1", AT.timestamp())]
    assert 2 * TTL_S - 60 < redis_client.ttl(KEYS.masked("ann")) <= 2 * TTL_S
    assert redis_client.zrange(KEYS.refresh_queue, 0, -1) == [b"ann"]


@pytest.mark.parametrize(
    ("action", "masks", "waits"),
    [
        ("purchase", True, True),
        ("rating", True, True),
        ("add_to_cart", False, True),
        ("wishlist_add", False, True),
        ("profile_update", False, True),
        ("view", False, False),
    ],
)
def test_what_each_action_does(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, action: str, masks: bool, waits: bool
) -> None:
    publish(redis_client)
    shelf = shelf_of(redis_url)
    assert "A1" in ids(shelf.get("ann"))
    shelf.acted("ann", action, None if action == "profile_update" else "A1")
    assert ("A1" in ids(shelf.get("ann"))) is not masks
    assert ("A1" in ids(shelf_of(redis_url).get("ann"))) is not masks
    assert (redis_client.zscore(KEYS.refresh_queue, "ann") is not None) is waits
    assert [entry["event_type"] for entry in entries(redis_client)] == [action]


def test_masked_on_every_path_and_for_that_user_alone(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    publish(redis_client)
    redis_client.set(KEYS.user(1, "fan"), b'{"favorite_categories":["Lamps"],"segment":"gold"}')
    redis_client.set(KEYS.popular(1, "category:Lamps"), ranked("C1", "A1").to_json())
    shelf_of(redis_url).acted("fan", "purchase", "C1")
    shelf_of(redis_url).acted("ann", "purchase", "C1")
    shelf = shelf_of(redis_url)
    for result in (
        shelf.get("ann"),
        shelf.get("fan"),
        shelf.get_many(["ann", "bob", "fan"])[2],
        shelf.similar("A1", user="fan"),
        shelf.popular("all", user="fan"),
        shelf.popular("segment:gold", user="fan"),
    ):
        assert "C1" not in ids(result)
        assert result.source != "none"
    assert shelf.get("ann").items[0].reason == (
        "because",
        "C1",
    )  # bought, and a reason all the same
    for result in (shelf.get("bob"), shelf.similar("A1"), shelf.popular("segment:gold")):
        assert "C1" in ids(result)


def test_rung_by_rung_down_to_the_last(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    publish(redis_client)
    row = b'{"favorite_categories":["Lamps"],"segment":"gold"}'
    redis_client.set(KEYS.user(1, "fan"), row)
    redis_client.set(KEYS.list(1, "als", "fan"), ranked("X1").to_json())
    shelf, sources = shelf_of(redis_url), []
    for item in (None, "X1", "C1", "A1", "B1"):
        if item:
            shelf.acted("fan", "purchase", item)
        sources.append(shelf.get("fan").source)
    favorites, segment = "popular:favorites", "popular:segment:gold"
    assert sources == ["list", favorites, segment, "popular:all", "none"]


def test_a_full_redis_masks_here_at_least(own_redis_url: str, own_redis_client: Redis) -> None:
    publish(own_redis_client)
    shelf = Shelf(connect(own_redis_url, timeout_s=5), SHOP)
    shelf.get("ann")
    own_redis_client.config_set("maxmemory-policy", "noeviction")
    own_redis_client.config_set("maxmemory", "1")
    receipt = shelf.acted("ann", "purchase", "A1")
    assert (receipt.recorded, receipt.cause) == (False, "oom")
    assert shelf.counters().causes["oom"] >= 1
    assert ids(shelf.get("ann")) == ("B1", "C1")
    assert not shelf.counters().breaker_open


def test_a_redis_that_is_gone_masks_here_at_least(dead_url: str, shelf_of: ShelfOf) -> None:
    shelf = shelf_of(dead_url)
    receipt = shelf.acted("ann", "purchase", "A1", event_id="e1")
    assert receipt == TrackingReceipt(("e1",), recorded=False, cause="refused")


def test_what_is_told_is_checked(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    shelf = shelf_of(redis_url)
    for user, item in (("", "A1"), ("ann", ""), ("x" * 513, "A1")):
        for action in ("purchase", "wave", ""):
            with pytest.raises(InvalidKey):
                shelf.acted(user, action, item)
    assert redis_client.dbsize() == 0
    assert shelf.counters().unknown_actions == 0


@pytest.mark.parametrize("field", ["model", "variant", "event_id"])
def test_a_text_that_has_no_bytes_is_refused_and_masks_nothing(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, field: str
) -> None:
    publish(redis_client)
    shelf = shelf_of(redis_url)
    for text in ("\ud800", "x" * (MAX_ID_BYTES + 1)):
        with pytest.raises(InvalidKey):
            shelf.acted("ann", "purchase", "A1", **{field: text})
    assert not redis_client.exists(KEYS.events, KEYS.masked("ann"))
    assert "A1" in ids(shelf.get("ann"))


def test_actions_are_a_setting(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    publish(redis_client)
    shelf = shelf_of(redis_url, settings=ReadSettings(actions={"hide": Effect(masks=True)}))
    shelf.acted("ann", "hide", "A1")
    assert ids(shelf.get("ann")) == ("B1", "C1")
    assert redis_client.zcard(KEYS.refresh_queue) == 0
    shelf.acted("ann", "purchase", "B1")  # what the settings do not name is as it was
    assert ids(shelf.get("ann")) == ("C1",)


OWN = Counting(
    weights={"order": 5.0, "basket": 3.0, "page": 1.0, "refund": -5.0, "shown": 0.0},
    half_life_days=60.0,
    views=("page",),
    ratings=("stars",),
    idle=("shown", "moved_house"),
    n_recent=4,
    purchases=("order", "gift"),
    seen=("order", "refund"),
)


def own_names(client: Redis, counting: Counting | None = OWN) -> None:
    """Publish a generation with event types of its own."""
    live = publish(client)
    client.set(KEYS.current, replace(live, counting=counting).to_json())


@pytest.mark.parametrize(
    ("action", "masks", "waits", "known"),
    [
        ("order", True, True, True),
        ("refund", True, True, True),
        ("basket", False, True, True),
        ("stars", False, True, True),
        ("gift", False, True, True),
        ("page", False, False, True),
        ("shown", False, False, True),
        ("purchase", False, True, False),
        ("ordr", False, True, False),
    ],
)
def test_the_night_says_what_an_action_does(
    redis_client: Redis,
    shelf_of: ShelfOf,
    redis_url: str,
    action: str,
    masks: bool,
    waits: bool,
    known: bool,
) -> None:
    own_names(redis_client)
    shelf = shelf_of(redis_url)
    receipt = shelf.acted("ann", action, "A1", 2.0)
    assert (receipt.recorded, receipt.unknown_types) == (True, () if known else (action,))
    assert shelf.counters().unknown_actions == (not known)
    for each in (shelf, shelf_of(redis_url)):
        assert ("A1" in ids(each.get("ann"))) is not masks
    assert (redis_client.zscore(KEYS.refresh_queue, "ann") is not None) is waits
    (entry,) = entries(redis_client)
    assert (entry["event_type"], entry["value"]) == (action, "2.0")


def test_what_changes_of_a_profile_asks_for_a_fresh_list(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    own_names(redis_client)
    assert shelf_of(redis_url).acted("ann", "moved_house").unknown_types == ()
    assert redis_client.zscore(KEYS.refresh_queue, "ann")


def test_own_names_are_in_the_rows_at_once(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    own_names(redis_client)
    shelf = shelf_of(redis_url)
    for action, item in (("order", "A1"), ("gift", "B1"), ("purchase", "C1"), ("page", "C1")):
        shelf.acted("eve", action, item)
    shelf.acted("eve", "stars", "C1", 4)
    row = shelf.user_features("eve")
    assert (row["total_purchases"], row["events"], row["avg_rating"]) == (2, 5, 4.0)
    assert row["recent_views"] == ["C1"]


@pytest.mark.parametrize("counting", [None, replace(OWN, seen=None)])
def test_where_no_night_says_so_the_usual_names_hold(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, counting: Counting | None
) -> None:
    own_names(redis_client, counting)
    shelf = shelf_of(redis_url)
    assert shelf.acted("ann", "purchase", "A1").unknown_types == ()
    assert shelf.acted("ann", "order", "B1").unknown_types == ("order",)
    assert ids(shelf.get("ann")) == ("B1", "C1")
    redis_client.flushdb()
    receipt = shelf_of(redis_url).acted("ann", "order", "B1", event_id="e")
    assert receipt == TrackingReceipt(("e",), recorded=True, unknown_types=("order",))
    assert len(entries(redis_client)) == 1


def test_a_process_that_only_tracks_hears_of_new_names(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, trips: Any
) -> None:
    publish(redis_client)
    clock = Clock()
    shelf = shelf_of(redis_url, clock=clock)
    assert shelf.acted("ann", "order", "A1").unknown_types == ("order",)
    own_names(redis_client)
    clock.now_s = 59.0
    trips.batches.clear()
    assert shelf.acted("ann", "order", "A1").unknown_types == ("order",)
    assert len(trips.batches) == 1  # an action stays one round trip
    clock.now_s = 61.0
    assert shelf.acted("ann", "order", "A1").unknown_types == ()


def test_shown_and_clicked(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    publish(redis_client)
    shelf = shelf_of(redis_url)
    result = shelf.get("ann", 2)
    receipt = shelf.shown("ann", result, first=11, variant="b")
    assert len(set(receipt.event_ids)) == 2
    shelf.clicked("ann", "B1", position=12, generation=1)
    seen, second, click = entries(redis_client)
    assert (seen["item_id"], seen["position"], seen["event_type"]) == ("A1", "11", "impression")
    assert (second["item_id"], second["position"]) == ("B1", "12")
    assert (seen["generation"], seen["model"], seen["variant"]) == ("1", "als", "b")
    assert (click["event_type"], click["position"], click["generation"]) == ("click", "12", "1")
    assert ids(shelf.get("ann", 2)) == ids(result)
    assert shelf.record([]) == TrackingReceipt((), recorded=True)
    assert shelf.record([Event("ann", "impression", "C1")]).recorded


def test_bounds(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    shelf = shelf_of(redis_url, settings=ReadSettings(max_events=10))
    redis_client.zadd(KEYS.masked("ann"), {f"old{at}": at for at in range(MAX_MASKED)})
    shelf.acted("ann", "purchase", "new")
    assert redis_client.zcard(KEYS.masked("ann")) == MAX_MASKED
    assert redis_client.zscore(KEYS.masked("ann"), "old0") is None
    assert redis_client.ttl(KEYS.masked("ann")) > DEFAULT_TTL_S


def test_a_full_stream_is_not_written_to(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    clock = Clock()
    settings = ReadSettings(max_events=10)
    shelf = Shelf(connect(redis_url, timeout_s=5), SHOP, settings=settings, clock=clock)
    views = [Event("ann", "view", "A1") for _ in range(5)]
    assert [shelf.record(views).recorded for _ in range(2)] == [True, True]
    receipt = shelf.acted("ann", "purchase", "A1")
    assert (receipt.recorded, receipt.cause) == (False, "full")
    assert shelf.record(views).cause == "full"
    assert shelf.counters().causes["full"] == 6
    assert redis_client.xlen(KEYS.events) == 10  # nothing that was recorded has gone
    assert redis_client.zscore(KEYS.masked("ann"), "A1")  # what it does at once is done
    assert "A1" not in ids(shelf.get("ann"))
    assert shelf.get("ann").source == "list"
    redis_client.xtrim(KEYS.events, maxlen=4, approximate=False)  # as they are collected
    assert shelf.record(views).cause == "full"  # what Redis said holds for a second
    clock.now_s += 1
    assert shelf.record(views).recorded
    assert redis_client.xlen(KEYS.events) == 9
    assert shelf.n_waiting() == 9


def test_a_login_that_may_not_ask_how_many_wait_is_held_to_a_hard_bound(
    own_redis_client: Redis, own_redis_url: str
) -> None:
    own_redis_client.acl_setuser(
        "blind",
        enabled=True,
        nopass=True,
        keys="*",
        channels="*",
        categories=["+@all"],
        commands=["-xlen"],
    )
    url = own_redis_url.replace("redis://", "redis://blind:x@")
    shelf = Shelf(connect(url, timeout_s=5), SHOP, settings=ReadSettings(max_events=100))
    for _ in range(6):
        assert shelf.record([Event("ann", "impression", "A1")] * 100).recorded
    assert shelf.n_waiting() is None
    assert 200 <= own_redis_client.xlen(KEYS.events) < 400  # trimmed a node (100) at a time


def until(done: Callable[[], bool], within_s: float = TOLD_S) -> float:
    """Poll; return the seconds until the answer was true."""
    started = time.monotonic()
    while not done():
        assert time.monotonic() - started < within_s, "it never came"
        time.sleep(0.005)
    return time.monotonic() - started


def test_without_listening_others_learn_within_a_second(
    redis_client: Redis, redis_url: str
) -> None:
    publish(redis_client)
    clock = Clock()
    other = Shelf(redis_client, SHOP, clock=clock)
    assert "A1" in ids(other.get("ann"))
    Shelf(connect(redis_url, timeout_s=5), SHOP).acted("ann", "purchase", "A1")
    clock.now_s = ReadSettings().mask_ttl_s
    assert ids(other.get("ann")) == ("B1", "C1")


def test_who_listens_learns_at_once(redis_client: Redis, redis_url: str) -> None:
    publish(redis_client)
    other = Shelf(redis_client, SHOP, clock=Clock())  # a clock that stands: no copy grows old
    here = Shelf(connect(redis_url, timeout_s=5), SHOP)
    with other.listening():
        until(lambda: other._state.listening)
        assert "A1" in ids(other.get("ann"))
        assert other.get("ann").cached
        here.acted("ann", "purchase", "A1")
        until(lambda: ids(other.get("ann")) == ("B1", "C1"))
        block(redis_client, SHOP, ["B1"])
        until(lambda: ids(other.get("ann")) == ("C1",))
        revise(redis_client, SHOP, "C1", price=3)
        until(lambda: other.item_features(["C1"])["C1"].get("price") == 3)
        forget(redis_client, SHOP, "ann")
        until(lambda: other.get("ann").source == "popular:all")
    assert not other._state.listening


def test_who_cannot_listen_keeps_nothing_of_users_for_long(
    own_redis_url: str, own_redis_client: Redis
) -> None:
    publish(own_redis_client)
    own_redis_client.acl_setuser(
        "deaf", enabled=True, nopass=True, keys=["*"], channels=[], commands=["+@all"],
        reset_channels=True,
    )  # fmt: skip
    deaf_url = own_redis_url.replace("redis://", "redis://deaf:any@")
    shelf = Shelf(connect(deaf_url, timeout_s=5), SHOP)
    with shelf.listening():
        until(lambda: shelf.counters().causes.get("auth", 0) > 0)
        assert shelf.get("ann").source == "list"
        assert not shelf._state.listening


def test_listening_survives_a_cut(own_redis_url: str, own_redis_client: Redis) -> None:
    publish(own_redis_client)
    clock = Clock()
    shelf = Shelf(connect(own_redis_url, timeout_s=5), SHOP, clock=clock)
    with shelf.listening():
        until(lambda: shelf._state.listening)
        assert "A1" in ids(shelf.get("ann"))
        own_redis_client.client_kill_filter(_type="pubsub")
        until(lambda: not shelf.get("ann").cached)  # what may have been missed is read again
        until(lambda: shelf._state.listening)
        Shelf(own_redis_client, SHOP).acted("ann", "purchase", "A1")
        until(lambda: ids(shelf.get("ann")) == ("B1", "C1"))


def test_forgetting_reaches_all_of_it(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    publish(redis_client)
    shelf = shelf_of(redis_url)
    shelf.acted("ann", "purchase", "A1")
    shelf.acted("bob", "purchase", "A1")
    found, left = forget(redis_client, SHOP, "ann")
    assert found.queued
    assert KEYS.masked("ann") in found.keys
    assert len(found.entries) == 1
    assert left == Traces((), ()) == traces(redis_client, SHOP, "ann")
    assert not left
    assert redis_client.zrange(KEYS.refresh_queue, 0, -1) == [b"bob"]
    assert Traces((), (), queued=True)


def test_out_of_stock_is_off_every_list(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    publish(redis_client)
    clock = Clock()
    shelf = shelf_of(redis_url, clock=clock)
    assert "A1" in ids(shelf.get("ann"))
    assert revise(redis_client, SHOP, "A1", available=False, price=2.5) == 1
    clock.now_s = 1.0
    for result in (shelf.get("ann"), shelf.get("eve"), shelf.popular("segment:gold")):
        assert "A1" not in ids(result)
    clock.now_s = 60.0
    row = shelf.item_features(["A1"])["A1"]
    assert (row["available"], row["price"], row["title"]) == (False, 2.5, "Lamp 1")
    assert redis_client.ttl(KEYS.item(1, "A1")) > 0
    revise(redis_client, SHOP, "A1", available=True)
    clock.now_s = 61.0
    assert "A1" in ids(shelf.get("ann"))
    assert revise(redis_client, SHOP, "zz", available=False) == 0  # no row, and masked all the same
    assert redis_client.sismember(KEYS.unavailable, "zz")


def test_what_cannot_be_revised(redis_client: Redis) -> None:
    publish(redis_client)
    redis_client.set(KEYS.item(1, "odd"), b"[1]")
    with pytest.raises(CorruptValue):
        revise(redis_client, SHOP, "odd", price=1)
    with pytest.raises(InvalidKey):
        revise(redis_client, SHOP, "", price=1)
