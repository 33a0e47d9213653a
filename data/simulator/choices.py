"""Choices of a visitor by planted taste: clicks and purchases on a list, looks beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from data.sample_shop.catalogue import Floats, Ints
from data.simulator.settings import TrafficSettings
from data.simulator.shop_day import ShopDay
from data.simulator.visits import Visit, chances

#: Seconds from one item to the next, and from a click to the purchase.
_NEXT_S, _BUYS_AFTER_S = 5.0, 40.0
#: Every third look beside the list is at a new item, if one is of the category.
_NEW_SHARE = 1 / 3


@dataclass(frozen=True)
class Choice:
    """An event that follows a visit's impressions: `after_s` seconds after its begin.

    `position` (from 1) is the item's on the list, `None` beside it; `value` is a purchase's price.
    """

    event_type: str
    item_id: str
    after_s: float
    position: int | None = None
    value: float | None = None


def click_chances(
    shop: ShopDay, users: Ints, items: Ints, positions: Ints, traffic: TrafficSettings
) -> Floats:
    """Return the planted chance of a click of each user on each item at each position, from 1."""
    loved = shop.loves[users, shop.category[items]]
    taste = np.where(loved == shop.style[items], traffic.loved, traffic.favourite)
    taste = np.where(loved < 0, traffic.other, taste)
    chance: Floats = taste * traffic.next_position ** (positions - 1)
    return chance


def choices_of(
    shop: ShopDay, visit: Visit, shown: Sequence[str], traffic: TrafficSettings
) -> list[Choice]:
    """Return a visitor's choices on a list of item ids, and beside it, in order of time.

    A visit draws the same numbers whatever it is shown.
    """
    rng = chances(shop, visit, traffic)
    clicks, buys = rng.random(traffic.page_size), rng.random(traffic.page_size)
    items = shop.places(list(shown[: traffic.page_size]))
    positions = np.arange(1, len(items) + 1)
    users = np.full(len(items), visit.user)
    chosen = clicks[: len(items)] < click_chances(shop, users, items, positions, traffic)
    found = []
    for at in np.flatnonzero(chosen).tolist():
        item, after_s = shown[at], _NEXT_S * (at + 1)
        found.append(Choice("click", item, after_s, at + 1))
        if buys[at] < traffic.buys:
            bought = Choice("purchase", item, after_s + _BUYS_AFTER_S, at + 1, shop.price(item))
            found.append(bought)
    found += _looks(shop, visit, rng, traffic)
    return sorted(found, key=lambda each: each.after_s)


def _looks(
    shop: ShopDay, visit: Visit, rng: np.random.Generator, traffic: TrafficSettings
) -> Iterator[Choice]:
    """Yield looks at items that the visitor has found alone."""
    if rng.random() >= traffic.browses:
        return
    rank = int(rng.integers(shop.people.n_favourites[visit.user]))
    category = shop.people.favourites[visit.user, rank]
    style = shop.people.loved_style[visit.user, rank]
    new = np.flatnonzero(shop.arrivals.category == category)
    known = shop.catalogue.draw(rng, np.array([category] * 2), np.array([style, -1]))
    seen = [str(item) for item in shop.catalogue.ids[known]]
    if len(new) and rng.random() < _NEW_SHARE:
        seen[0] = str(shop.arrivals.ids[new[-1]])
    for number, item in enumerate(seen):
        yield Choice("view", item, 120.0 + 30 * number)
