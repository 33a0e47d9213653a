"""Pages, cursors and filters against a brute force over the stored lists."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from nightshelf import Filters, InvalidCursor, ReadSettings, Result
from nightshelf.admin.blocklist import block, unblock
from nightshelf.client.core.cursor import Cursor
from nightshelf.client.core.masking import blend
from nightshelf.client.core.stored_list import StoredList
from nightshelf.contract.keys import Keys
from tests.lookup.clients import RoundTrips, ShelfOf, opening
from tests.lookup.shelves import SHOP, UNKEPT, Clock, ids, publish, ranked

KEYS = Keys(SHOP)
N_ITEMS = 24
CATALOGUE = [f"i{at:02d}" for at in range(N_ITEMS)]
CATEGORIES = ("Lamps", "Toys", "Books")
ROWS: dict[str, dict[str, Any]] = {
    item: {
        "category": CATEGORIES[at % 3] if at % 8 else None,
        "price": at * 1.5 if at % 5 else None,
        "tags": [tag for tag, every in (("new", 2), ("gift", 3)) if at % every == 0],
        "available": at % 4 != 0,
    }
    for at, item in enumerate(CATALOGUE)
    if at != 7  # an item without a row
}


def write(client: Redis, lists: dict[str, list[str]]) -> None:
    """Publish a generation of these lists, by key tail, and the catalogue's rows."""
    client.flushdb()
    publish(client, 1)
    for tail, items in lists.items():
        client.set(KEYS.prefix(1) + tail, ranked(*items).to_json())
    for item, row in ROWS.items():
        client.set(KEYS.item(1, item), json.dumps(row))


def paged(shelf: Any, sizes: list[int], between: Any = None, **asked: Any) -> list[str]:
    """Concatenate pages until there is no cursor."""
    seen: list[str] = []
    result: Result = shelf.get("ann", sizes[0], **asked)
    seen += ids(result)
    turn = 1
    while result.cursor:
        if between:
            between(seen)
        n = sizes[turn % len(sizes)]
        result = shelf.get("ann", n, cursor=result.cursor, **asked)
        assert len(result.items) <= n
        seen += ids(result)
        turn += 1
        assert turn < 100
    return seen


orders = st.permutations(CATALOGUE).flatmap(
    lambda order: st.integers(1, N_ITEMS).map(lambda n: list(order[:n]))
)
sizes = st.lists(st.integers(1, 7), min_size=1, max_size=3)


@settings(max_examples=25)
@given(order=orders, sizes=sizes, kept=st.booleans())
def test_pages_together_are_the_list(
    redis_client: Redis, redis_url: str, kind: str, order: list[str], sizes: list[int], kept: bool
) -> None:
    write(redis_client, {"list:als:{ann}": order})
    with opening(kind) as shelf_of:
        shelf = shelf_of(redis_url, settings=ReadSettings() if kept else UNKEPT)
        assert paged(shelf, sizes) == order


@settings(max_examples=25)
@given(order=orders, sizes=sizes, off=st.lists(st.sampled_from(CATALOGUE), min_size=1, max_size=12))
def test_no_repeats_whatever_is_acted_on_or_blocked_in_between(
    redis_client: Redis, redis_url: str, kind: str, order: list[str], sizes: list[int],
    off: list[str],
) -> None:  # fmt: skip
    write(redis_client, {"list:als:{ann}": order})
    todo, clock = iter(off), Clock()

    def change(seen: list[str]) -> None:
        item = next(todo, None)
        clock.now_s += 2
        if item is None:
            return
        if len(item + str(len(seen))) % 2:
            shelf.acted("ann", "purchase", item)
        else:
            block(redis_client, SHOP, [item])
            unblock(redis_client, SHOP, [item] if item in seen else [])

    with opening(kind) as shelf_of:
        shelf = shelf_of(redis_url, clock=clock)
        seen = paged(shelf, sizes, change)
    assert len(seen) == len(set(seen))
    assert seen == [item for item in order if item in set(seen)]
    assert set(order) - set(seen) <= set(off)


def test_a_page_stays_in_its_generation(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    publish(redis_client)
    clock = Clock()
    shelf = shelf_of(redis_url, clock=clock)
    first = shelf.get("ann", 1)
    publish(redis_client)
    clock.now_s = 2.0
    assert shelf.get("ann").generation == 2
    second = shelf.get("ann", 1, cursor=first.cursor)
    assert (second.generation, ids(second), second.source) == (1, ("B1",), "list")
    assert second.age_s is None
    redis_client.delete(*redis_client.keys(f"{KEYS.prefix(1)}*"))
    clock.now_s = 20.0
    gone = shelf.get("ann", 1, cursor=second.cursor)
    assert (gone.items, gone.source, gone.cursor) == ((), "none", None)


@pytest.mark.parametrize("user", ["ann", "bob", "eve", "fan"])
def test_pages_of_every_level(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, user: str
) -> None:
    publish(redis_client)
    redis_client.set(KEYS.user(1, "fan"), b'{"favorite_categories":["Lamps","Toys"]}')
    redis_client.set(KEYS.popular(1, "category:Toys"), ranked("T1", "C1").to_json())
    shelf = shelf_of(redis_url)
    whole = shelf.get(user, 50)
    assert whole.cursor is None
    pages: tuple[str, ...] = ()
    result = shelf.get(user, 1)
    while True:
        assert result.source == whole.source
        pages += ids(result)
        if result.cursor is None:
            break
        result = shelf.get(user, 1, cursor=result.cursor)
    assert pages == ids(whole)


def test_favorites_are_blended_in_turn(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    publish(redis_client)
    row = b'{"segment":"gold","favorite_categories":["Toys","Lamps","Unknown",""]}'
    redis_client.set(KEYS.user(1, "fan"), row)
    redis_client.set(KEYS.popular(1, "category:Toys"), ranked("T1", "T2", "C1", "T3").to_json())
    result = shelf_of(redis_url).get("fan")
    assert (result.source, ids(result)) == ("popular:favorites", ("T1", "C1", "T2", "T3"))


lists = st.lists(
    st.lists(st.sampled_from(CATALOGUE), unique=True, max_size=8), min_size=1, max_size=4
)


@given(lists)
def test_a_blend_takes_each_item_where_it_comes_first(orders: list[list[str]]) -> None:
    blended = blend([StoredList.from_json(ranked(*order).to_json()) for order in orders])
    turns: list[str] = []
    for place in range(8):
        turns += [order[place] for order in orders if place < len(order)]
    assert blended.items == tuple(dict.fromkeys(turns))
    assert len(blended.scores) == len(blended.reasons) == len(blended.items)


filters = st.builds(
    Filters,
    categories=st.lists(st.sampled_from(CATEGORIES), max_size=2, unique=True).map(tuple),
    not_categories=st.lists(st.sampled_from(CATEGORIES), max_size=1).map(tuple),
    min_price=st.none() | st.integers(0, 20).map(float),
    max_price=st.none() | st.integers(5, 36).map(float),
    tags=st.lists(st.sampled_from(("new", "gift", "none")), max_size=2).map(tuple),
    in_stock=st.booleans(),
)


def passes(item: str, asked: Filters) -> bool:
    """Say it another way: each condition on its own."""
    if asked == Filters():
        return True
    row = ROWS.get(item)
    if row is None:
        return False
    price = row["price"]
    conditions = [
        not asked.categories or row["category"] in asked.categories,
        row["category"] not in asked.not_categories,
        asked.min_price is None or (price is not None and price >= asked.min_price),
        asked.max_price is None or (price is not None and price <= asked.max_price),
        not asked.tags or not set(asked.tags).isdisjoint(row["tags"]),
        not asked.in_stock or row["available"],
    ]
    return all(conditions)


@settings(max_examples=60)
@given(asked=filters, own=orders, toys=orders, everyone=orders, sizes=sizes)
def test_filters_against_brute_force(
    redis_client: Redis, redis_url: str, kind: str, asked: Filters, own: list[str],
    toys: list[str], everyone: list[str], sizes: list[int],
) -> None:  # fmt: skip
    lists = {"list:als:{ann}": own, "popular:category:Toys": toys, "popular:all": everyone}
    redis_client.flushdb()
    write(redis_client, lists)
    redis_client.delete(KEYS.popular(1, "category:Lamps"))
    chain = list(own)
    if asked != Filters():
        chain += [item for name in asked.categories if name == "Toys" for item in toys] + everyone
    expected = [item for item in dict.fromkeys(chain) if passes(item, asked)]
    with opening(kind) as shelf_of:
        shelf = shelf_of(redis_url)
        assert paged(shelf, sizes, filters=asked) == expected
        whole = shelf.get("ann", 100, filters=asked)
    assert ids(whole) == tuple(expected)
    if not expected:
        assert whole.source == "none"
    elif expected[0] in own:
        assert whole.source == "list"
    else:
        assert whole.source.startswith("popular:")


def test_metadata_where_it_is_asked_for(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    publish(redis_client)
    shelf = shelf_of(redis_url)
    assert {item.metadata for item in shelf.get("ann").items} == {None}
    first, second, _ = shelf.get("ann", metadata=True).items
    assert first.metadata == {"title": "Lamp 1", "category": "Lamps"}
    assert second.metadata is None  # B1 has no row


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "1.2.-", "1.2.-.", "1.x.-.list%3Aals", "-1.2.-.list%3Aals", "1.2.-.similar%3AA1",
     "1.2.-.popular%3Anone", "1.2.-.list%3A", "1.2.abcd.list%3Aals", "²." + "9" * 40 + ".-.list",
     "1.2.-.popular%3Acategory%3A", "1.2.-.list%3A" + "x" * 600],
)  # fmt: skip
def test_a_cursor_that_is_none(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, cursor: str
) -> None:
    publish(redis_client)
    with pytest.raises(InvalidCursor):
        shelf_of(redis_url).get("ann", cursor=cursor)


def test_a_cursor_goes_with_its_filters(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str
) -> None:
    publish(redis_client)
    shelf = shelf_of(redis_url)
    cursor = shelf.get("ann", 1).cursor
    with pytest.raises(InvalidCursor, match="filters"):
        shelf.get("ann", 1, filters=Filters(in_stock=True), cursor=cursor)


@given(
    at=st.integers(0, 10**18 - 1),
    level=st.builds(
        "{}:{}".format, st.sampled_from(["list", "popular"]), st.text(min_size=1, max_size=50)
    ),
)
def test_cursors_come_back_as_they_went(at: int, level: str) -> None:
    cursor = Cursor(44, at, "-", level)
    try:
        level.encode()
    except UnicodeEncodeError:
        return
    assert Cursor.parse(str(cursor), "-") == cursor
    assert str(cursor).isascii()


def test_a_model_of_its_own(redis_client: Redis, shelf_of: ShelfOf, redis_url: str) -> None:
    publish(redis_client)
    redis_client.set(KEYS.list(1, "other", "ann"), ranked("O1", "O2").to_json())
    shelf = shelf_of(redis_url)
    result = shelf.get("ann", 1, model="other")
    assert (ids(result), result.model, result.source) == (("O1",), "other", "list")
    assert ids(shelf.get("ann", cursor=result.cursor)) == ("O2",)
    assert shelf.get("ann", model="none").source == "popular:all"


def test_a_page_that_redis_fails_is_asked_for_again(
    redis_client: Redis, shelf_of: ShelfOf, redis_url: str, trips: RoundTrips
) -> None:
    """Neither a list nor its items' rows can be read: paging does not end by mistake."""
    write(redis_client, {"list:als:{ann}": CATALOGUE})
    for asked in (None, Filters(not_categories=("Toys",))):
        shelf = shelf_of(redis_url, settings=UNKEPT)
        first = shelf.get("ann", 3, filters=asked)
        expected = shelf.get("ann", 3, filters=asked, cursor=first.cursor)
        for good_for in range(3):
            trips.fault, trips.good_for = (
                OSError("reset"),
                len(trips.batches) + good_for,
            )
            failed = shelf.get("ann", 3, filters=asked, cursor=first.cursor)
            trips.fault = None
            if not failed.items:
                assert failed.cursor
                again = shelf.get("ann", 3, filters=asked, cursor=failed.cursor)
                assert ids(again) == ids(expected)
            else:
                assert ids(failed) == ids(expected)
