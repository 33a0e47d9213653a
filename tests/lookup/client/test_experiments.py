"""Reading in an experiment: the variant's model, what falls back, pages, testers, exposures."""

from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from nightshelf import InvalidCursor, Result
from nightshelf.admin.canary import release
from nightshelf.client.core.cursor import Cursor
from nightshelf.contract.keys import Keys
from tests.lookup.clients import RoundTrips, ShelfOf
from tests.lookup.experiments import HALVES, LINKS, NOW, OUT, experimenting, set_live, user_of
from tests.lookup.shelves import SHOP, UNKEPT, Clock, entries, ids, ranked, staged

KEYS = Keys(SHOP)


def about(result: Result) -> tuple[Any, ...]:
    return result.source, result.model, result.experiment, result.phase, result.variant


def test_each_is_served_the_variants_model(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    experimenting(redis_client)
    shelf = shelf_of(redis_url)
    expected = {
        NOW: ("list", "als", "exp-1", 2, "now"),
        LINKS: ("list", "ease", "exp-1", 2, "links"),
        OUT: ("list", "als", None, None, None),
    }
    for user, found in expected.items():
        result = shelf.get(user, 2)
        assert about(result) == found
        assert ids(result) == (f"{found[1]}-0", f"{found[1]}-1")
        assert not result.forced
    many = shelf.get_many([*expected, *expected], 2)
    assert [about(result) for result in many] == [*expected.values()] * 2


def test_no_round_trip_more(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, trips: RoundTrips
) -> None:
    experimenting(redis_client)
    shelf = shelf_of(redis_url, settings=UNKEPT)
    shelf.get("warm")
    trips.batches.clear()
    for user in (NOW, LINKS, OUT):
        shelf.get(user)
    shelf.get_many([NOW, LINKS, OUT])
    assert trips.batches == ["MGET+ZRANGE"] * 3 + ["MGET+ZRANGE+ZRANGE+ZRANGE"]
    trips.batches.clear()
    stranger = user_of("links", start=1_000)
    assert about(shelf.get(stranger)) == ("popular:all", None, "exp-1", 2, "links")
    assert trips.batches == ["MGET+ZRANGE", "MGET", "MGET"]


@pytest.mark.parametrize("why", ["no list", "all masked", "no such model"])
def test_a_variant_without_a_list_falls_back_to_the_default_models(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, trips: RoundTrips, why: str
) -> None:
    experimenting(redis_client, models=("als",) if why == "no such model" else ("als", "ease"))
    if why == "no list":
        redis_client.delete(KEYS.list(1, "ease", LINKS))
    elif why == "all masked":
        redis_client.zadd(KEYS.masked(LINKS), {f"ease-{n}": 1 for n in range(5)})
    shelf = shelf_of(redis_url, settings=UNKEPT)
    shelf.get("warm")
    trips.batches.clear()
    result = shelf.get(LINKS, 1)
    assert about(result) == ("list", "als", "exp-1", 2, "links")
    assert len(trips.batches) == (1 if why == "no such model" else 2)
    others, many = shelf.get_many([NOW, LINKS], 1)
    assert about(many) == about(result)
    assert about(others) == ("list", "als", "exp-1", 2, "now")
    assert ids(shelf.get(LINKS, 1, cursor=result.cursor)) == ("als-1",)


def test_a_model_that_is_asked_for_is_outside_any_experiment(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    experimenting(redis_client)
    shelf = shelf_of(redis_url)
    page = shelf.get(LINKS, 2, model="als")
    assert about(page) == ("list", "als", None, None, None)
    assert about(shelf.get(LINKS, 2, cursor=page.cursor)) == ("list", "als", None, None, None)
    assert shelf.get(LINKS, 2, model="als", forced="exp-1:links").model == "als"


@pytest.mark.parametrize("forced", [None, "exp-1:now", "exp-1:links"])
def test_pages_keep_model_and_variant_though_the_phase_changes(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, forced: str | None
) -> None:
    experimenting(redis_client)
    clock = Clock()
    shelf = shelf_of(redis_url, clock=clock)
    first = shelf.get(LINKS, 2, forced=forced)
    set_live(redis_client, experiments=(replace(HALVES, phase=3, variants=HALVES.variants[:1]),))
    clock.now_s += 10
    assert shelf.get(LINKS, 2).phase == 3
    second = shelf.get(LINKS, 2, cursor=first.cursor)
    assert about(second) == about(first)
    assert (first.phase, first.forced, second.forced) == (2, bool(forced), bool(forced))
    assert ids(second) == (f"{first.model}-2", f"{first.model}-3")
    assert str(Cursor.parse(first.cursor, "-")) == first.cursor


@pytest.mark.parametrize(
    "cursor",
    [
        "1.2.-.list%3Aals!",
        "1.2.-.list%3Aals!exp-1",
        "1.2.-.list%3Aals!exp-1%3A2%3Anow",
        "1.2.-.list%3Aals!exp-1%3Aone%3Anow%3Aals",
        "1.2.-.list%3Aals!exp-1%3A2%3Anow%3Aals%3Aperhaps",
        "1.2.-.list%3Aals!exp-1%3A2%3A%3Aals",
        "1.2.-.list%3Aals!exp-1%3A2%3A%ff%3Aals",
        "1.2.-.list%3Aals!exp-1%3A02%3Anow%3Aals",
    ],
)
def test_cursors_of_no_variant_are_refused(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, cursor: str
) -> None:
    experimenting(redis_client)
    with pytest.raises(InvalidCursor):
        shelf_of(redis_url).get(NOW, cursor=cursor)


def test_a_tester_sees_any_variant_and_is_not_exposed(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    stopped = replace(HALVES, id="réf", status="stopped")
    experimenting(redis_client, HALVES, stopped)
    shelf = shelf_of(redis_url)
    for user in (NOW, OUT):
        result = shelf.get(user, 1, forced="réf:links")
        assert about(result) == ("list", "ease", "réf", 2, "links")
        assert result.forced
        shelf.shown(user, result)
    assert shelf.get(OUT, forced="exp-1:other").experiment is None
    for shown in entries(redis_client):
        assert (shown["model"], shown["generation"]) == ("ease", "1")
        assert not {"experiment", "variant", "phase"} & shown.keys()


def test_exposures_say_what_the_result_does(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    experimenting(redis_client)
    redis_client.delete(KEYS.list(1, "ease", LINKS))
    shelf = shelf_of(redis_url)
    page = shelf.get(LINKS, 2)
    shelf.shown(LINKS, page)
    shelf.shown(LINKS, shelf.get(LINKS, 2, cursor=page.cursor), first=3)
    shelf.shown(OUT, shelf.get(OUT, 1))
    shelf.shown(NOW, shelf.get(NOW, 1), variant="red button")
    *exposed, out, own = entries(redis_client)
    names = ("event_type", "experiment", "variant", "phase", "generation", "model", "position")
    assert [tuple(each[name] for name in names) for each in exposed] == [
        ("impression", "exp-1", "links", "2", "1", "als", str(position)) for position in range(1, 5)
    ]
    assert not {"experiment", "variant", "phase"} & out.keys()
    assert own["variant"] == "red button"
    assert not {"experiment", "phase"} & own.keys()


def test_a_canarys_users_keep_their_variant(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    experimenting(redis_client)
    number = staged(redis_client)
    redis_client.set(KEYS.list(number, "ease", LINKS), ranked("new").to_json())
    redis_client.set(KEYS.list(number, "als", NOW), ranked("newer").to_json())
    release(redis_client, SHOP, number, 100)
    shelf = shelf_of(redis_url)
    for user, expected in ((LINKS, ("ease", "links", "new")), (NOW, ("als", "now", "newer"))):
        result = shelf.get(user)
        assert (result.model, result.variant, *ids(result)) == expected
        assert result.generation == number
    shelf.acted(LINKS, "purchase", "new")
    assert "new" not in ids(shelf.get(LINKS))


def test_the_live_experiments(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    assert shelf_of(redis_url).experiments() == ()
    experimenting(redis_client)
    assert shelf_of(redis_url).experiments() == (HALVES,)


def test_what_is_known_of_the_pointer_assigns_while_redis_is_gone(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, trips: RoundTrips
) -> None:
    experimenting(redis_client)
    clock = Clock()
    shelf = shelf_of(redis_url, clock=clock)
    shelf.get(NOW)
    clock.now_s += 60
    trips.fault = ConnectionError("gone")
    trips.good_for = 0
    assert about(shelf.get(NOW)) == ("list", "als", "exp-1", 2, "now")
    assert about(shelf.get(LINKS)) == ("last-good", None, "exp-1", 2, "links")
