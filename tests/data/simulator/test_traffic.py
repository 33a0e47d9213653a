"""The traffic of the sample shop: visits and choices by planted taste, the same each time."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from data.sample_shop.shop import ShopSettings, favourites, invent
from data.simulator.choices import Choice, choices_of, click_chances
from data.simulator.settings import TrafficSettings
from data.simulator.shop_day import ShopDay, shop_on
from data.simulator.visits import Visit, visits_of

SHOP = ShopSettings(n_users=300, n_items=200, n_days=30, end=datetime(2026, 3, 1, tzinfo=UTC))
TRAFFIC = TrafficSettings(visits_a_day=400, newcomers_a_day=10, new_items_a_day=6)
DAY = date(2026, 3, 3)


@pytest.fixture(scope="module")
def shop() -> ShopDay:
    return shop_on(DAY, SHOP, TRAFFIC)


@pytest.fixture(scope="module")
def visits(shop: ShopDay) -> list[Visit]:
    return visits_of(shop, TRAFFIC)


def chosen(shop: ShopDay, visits: list[Visit], shown: list[str]) -> list[list[Choice]]:
    return [choices_of(shop, visit, shown, TRAFFIC) for visit in visits]


def test_the_shop_of_a_day_is_that_of_its_log_with_those_who_came_since(shop: ShopDay) -> None:
    table = shop.items()
    ids = table["item_id"].to_pylist()
    assert ids == sorted(set(ids))
    assert len(ids) == SHOP.n_items + 3 * TRAFFIC.new_items_a_day
    log = invent(SHOP)[0].table()
    assert table.filter(np.isin(ids, log["item_id"].to_pylist())).equals(log)
    created = {row["item_id"]: row["created_at"].date() for row in table.to_pylist()}
    days = Counter(day for item, day in created.items() if item.startswith("a2026"))
    assert days == {DAY - timedelta(days=ago): TRAFFIC.new_items_a_day for ago in range(3)}
    assert len(set(shop.people.ids.tolist())) == SHOP.n_users + 3 * TRAFFIC.newcomers_a_day

    before = shop_on(DAY - timedelta(days=1), SHOP, TRAFFIC)
    n = len(before.people.ids)
    assert (shop.people.ids[:n] == before.people.ids).all()
    assert (shop.people.loved_style[:n] == before.people.loved_style).all(), "tastes stay"


def test_visits_lie_within_their_day_and_newcomers_come_twice(
    shop: ShopDay, visits: list[Visit]
) -> None:
    assert len(visits) == TRAFFIC.visits_a_day + 2 * TRAFFIC.newcomers_a_day
    assert [each.number for each in visits] == list(range(len(visits)))
    assert [each.at for each in visits] == sorted(each.at for each in visits)
    latest = max(c.after_s for each in chosen(shop, visits, []) for c in each)
    assert all((each.at + timedelta(seconds=latest)).date() == DAY for each in visits)
    newcomers = [each for each in visits if each.user_id.startswith(f"n{DAY:%Y%m%d}")]
    assert Counter(Counter(each.user_id for each in newcomers).values()) == {2: 10}
    for user in {each.user_id for each in newcomers}:
        first, second = (each.at.hour for each in newcomers if each.user_id == user)
        assert first < 12 <= 18 <= second


def test_the_same_day_is_the_same_and_another_is_not(shop: ShopDay, visits: list[Visit]) -> None:
    again = shop_on(DAY, SHOP, TRAFFIC)
    shown = shop.catalogue.ids[:10].tolist()
    assert visits_of(again, TRAFFIC) == visits
    assert chosen(again, visits, shown) == chosen(shop, visits, shown)
    other = replace(TRAFFIC, seed=8)
    assert [each.user for each in visits_of(shop, other)] != [each.user for each in visits]


def test_clicks_follow_the_planted_taste(shop: ShopDay, visits: list[Visit]) -> None:
    """Against the truth that the shop gives by itself, and chances written out."""
    liked = favourites(SHOP)
    shown = shop.catalogue.ids[::20].tolist()
    category = {
        item: shop.catalogue.names[shop.catalogue.category[at]]
        for item, at in zip(shop.catalogue.ids.tolist(), range(SHOP.n_items), strict=True)
    }
    known = [each for each in visits if each.user < SHOP.n_users]
    n: Counter[tuple[bool, str]] = Counter()
    for visit, choices in zip(known, chosen(shop, known, shown), strict=True):
        clicked = {each.item_id for each in choices if each.event_type == "click"}
        for item in shown:
            n[category[item] in liked[visit.user_id], "shown"] += 1
            n[category[item] in liked[visit.user_id], "clicked"] += item in clicked
    rates = {of: n[of, "clicked"] / n[of, "shown"] for of in (True, False)}
    assert rates[True] > 2.5 * rates[False]
    mean_position = np.mean([TRAFFIC.next_position**at for at in range(10)])
    assert rates[False] == pytest.approx(TRAFFIC.other * mean_position, rel=0.2)


def test_the_chance_of_a_click_by_hand(shop: ShopDay) -> None:
    user = 5
    first = int(shop.people.favourites[user, 0])
    loved = int(shop.people.loved_style[user, 0])
    own = set(shop.people.favourites[user, : shop.people.n_favourites[user]].tolist())
    catalogue = zip(shop.catalogue.category.tolist(), shop.catalogue.style.tolist(), strict=True)
    items = dict[str, int]()
    for at, (category, style) in enumerate(catalogue):
        kind = "other" if category not in own else ""
        if category == first:
            kind = "loved" if style == loved else "favourite"
        items.setdefault(kind, at)
    for kind in ("loved", "favourite", "other"):
        for position in (1, 4):
            (chance,) = click_chances(
                shop, np.array([user]), np.array([items[kind]]), np.array([position]), TRAFFIC
            )
            expected = getattr(TRAFFIC, kind) * TRAFFIC.next_position ** (position - 1)
            assert chance == pytest.approx(expected)


def test_a_purchase_follows_its_click_at_the_items_price(
    shop: ShopDay, visits: list[Visit]
) -> None:
    shown = shop.catalogue.ids[:10].tolist()
    price = dict(zip(shop.catalogue.ids.tolist(), shop.catalogue.price.tolist(), strict=True))
    bought = 0
    for choices in chosen(shop, visits, shown):
        assert [each.after_s for each in choices] == sorted(each.after_s for each in choices)
        clicks = {each.item_id: each for each in choices if each.event_type == "click"}
        for each in choices:
            if each.event_type == "purchase":
                bought += 1
                assert each.after_s > clicks[each.item_id].after_s
                assert each.position == clicks[each.item_id].position
                assert each.value == price[each.item_id]
            elif each.event_type == "view":
                assert (each.position, each.value) == (None, None)
    assert bought > 20


def test_new_items_are_looked_at(shop: ShopDay, visits: list[Visit]) -> None:
    seen = {each.item_id for choices in chosen(shop, visits, []) for each in choices}
    new = set(shop.arrivals.ids.tolist())
    assert len(seen & new) > 5
    assert len(seen - new) > 50
