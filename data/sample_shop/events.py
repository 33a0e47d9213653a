"""Events of the sample shop: visits with views, carts and purchases, then second thoughts.

A visit is about one category: mostly a favourite of the user, where they mostly look at the style
they love, and buy more of it. Purchases are reviewed and returned some days later.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from data.sample_shop.catalogue import DAY_US, Catalogue, Floats, Ints
from data.sample_shop.users import People

VIEW, CART, WISH, PURCHASE, LIKE, RATING, DISLIKE, RETURN = range(8)
EVENT_TYPES = (
    *("view", "add_to_cart", "wishlist_add", "purchase"),
    *("like", "rating", "dislike", "return"),
)
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
#: Share of visits about a favourite category, and within those of looks at the loved style.
FAVOURITE_VISITS = 0.85
LOVED_LOOKS = 0.6
#: Share of looks at whatever the front page shows, in every visit.
FRONT_PAGE_LOOKS = 0.08
VIEWS_PER_VISIT = 4.0
#: A Saturday or Sunday against a weekday.
WEEKEND = 1.3
CART_SHARE, CART_SHARE_LOVED = 0.10, 0.20
WISH_SHARE = 0.04
BUY_SHARE = 0.45
REVIEW_SHARE = 0.30
RETURN_SHARE = 0.05

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Events:
    """Events by number, columns of one length; `session` is -1 and `value` NaN where there is none.

    `loved` says whether the item is in the style that the user loves of a favourite category.
    """

    user: Ints
    item: Ints
    kind: Ints
    ts_us: Ints
    value: Floats
    session: Ints
    loved: Mask

    def pick(self, where: Mask | Ints) -> "Events":
        """Return the events at a mask or at positions."""
        return Events(*(getattr(self, column.name)[where] for column in fields(self)))

    def later(self, delay_us: Floats, kind: Ints | int, value: Floats | float) -> "Events":
        """Return the same users and items some time later, as another kind of event."""
        n = len(self.user)
        return replace(
            self,
            kind=np.broadcast_to(kind, n).astype(np.int64),
            ts_us=self.ts_us + delay_us.astype(np.int64),
            value=np.broadcast_to(value, n).astype(np.float64),
        )


def make_events(
    rng: np.random.Generator, catalogue: Catalogue, people: People, n_days: int, end_us: int
) -> Events:
    """Play `n_days` of the shop up to `end_us`, in order of (time, user, item, kind)."""
    views = _views(rng, catalogue, people, n_days, end_us)
    share = np.where(views.loved, CART_SHARE_LOVED, CART_SHARE)
    carts = _soon(rng, _some(rng, views, share), CART, 60)
    wishes = _soon(rng, _some(rng, views, WISH_SHARE), WISH, 90)
    sold = _some(rng, carts, BUY_SHARE)
    bought = replace(_soon(rng, sold, PURCHASE, 600), value=catalogue.price[sold.item])
    parts = [views, carts, wishes, bought, _reviews(rng, bought), _returns(rng, bought)]
    names = [column.name for column in fields(Events)]
    log = Events(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    log = log.pick((log.ts_us < end_us) & (log.ts_us >= catalogue.created_us[log.item]))
    return log.pick(np.lexsort((log.kind, log.item, log.user, log.ts_us)))


def _views(
    rng: np.random.Generator, catalogue: Catalogue, people: People, n_days: int, end_us: int
) -> Events:
    """Return every look at an item, visit by visit."""
    visitor, start_us = _visits(rng, people, n_days, end_us)
    favourite = rng.random(len(visitor)) < FAVOURITE_VISITS
    rank = np.floor(people.n_favourites[visitor] * rng.random(len(visitor)) ** 1.4).astype(np.int64)
    anything = rng.integers(len(catalogue.names), size=len(visitor))
    topic = np.where(favourite, people.favourites[visitor, rank], anything)
    visit = np.repeat(np.arange(len(visitor)), rng.geometric(1 / VIEWS_PER_VISIT, len(visitor)))
    user = visitor[visit]
    at_front = rng.random(len(visit)) < FRONT_PAGE_LOOKS
    loving = favourite[visit] & (rng.random(len(visit)) < LOVED_LOOKS)
    style = np.where(loving, people.loved_style[user, rank[visit]], -1)
    item = catalogue.draw(rng, np.where(at_front, -1, topic[visit]), style)
    spent_us = np.cumsum(rng.exponential(45 * SECOND_US, len(visit)))
    began_us = spent_us[np.searchsorted(visit, visit)]
    return Events(
        user=user,
        item=item,
        kind=np.full(len(visit), VIEW),
        ts_us=start_us[visit] + (spent_us - began_us).astype(np.int64),
        value=np.full(len(visit), np.nan),
        session=visit,
        loved=people.loves(len(catalogue.names))[user, catalogue.category[item]]
        == catalogue.style[item],
    )


def _visits(
    rng: np.random.Generator, people: People, n_days: int, end_us: int
) -> tuple[Ints, Ints]:
    """Return each visit's user and start: days from the one after they signed up, busy evenings."""
    visitor = np.repeat(np.arange(len(people.ids)), people.visits)
    begin_us = end_us - n_days * DAY_US
    weekday = (begin_us // DAY_US + np.arange(n_days) + 3) % 7
    busy = np.where(weekday >= 5, WEEKEND, 1.0) * np.linspace(0.9, 1.1, n_days)
    total = np.concatenate([[0.0], np.cumsum(busy)])
    first = np.clip((people.created_us[visitor] - begin_us) // DAY_US + 1, 0, n_days)
    at = total[first] + rng.random(len(visitor)) * (total[-1] - total[first])
    day = np.searchsorted(total, at, "right") - 1
    evening = rng.random(len(visitor)) < 0.6
    hour = np.where(evening, rng.normal(20, 2, len(visitor)), rng.normal(12.5, 2.5, len(visitor)))
    start_us = begin_us + day * DAY_US + (hour % 24 * HOUR_US).astype(np.int64)
    # Who signed up late in the log had less of it to visit in.
    came = rng.random(len(visitor)) < (total[-1] - total[first]) / total[-1]
    return visitor[came], start_us[came]


def _some(rng: np.random.Generator, events: Events, share: Floats | float) -> Events:
    return events.pick(rng.random(len(events.user)) < share)


def _soon(rng: np.random.Generator, events: Events, kind: int, mean_s: float) -> Events:
    """Return what follows in the same visit, some seconds or minutes on."""
    delay_us = rng.exponential(mean_s * SECOND_US, len(events.user)) + 3 * SECOND_US
    return events.later(delay_us, kind, np.nan)


def _reviews(rng: np.random.Generator, bought: Events) -> Events:
    """Return one to five stars for some purchases, better for a loved style."""
    rated = _some(rng, bought, REVIEW_SHARE)
    stars = np.clip(np.rint(rng.normal(np.where(rated.loved, 4.4, 3.4), 1.0)), 1, 5)
    kind = np.where(stars >= 4, LIKE, np.where(stars <= 2, DISLIKE, RATING))
    return _apart(rated.later(rng.uniform(2, 12, len(stars)) * DAY_US, kind, stars))


def _returns(rng: np.random.Generator, bought: Events) -> Events:
    """Return what goes back, the revenue with it."""
    back = _some(rng, bought, RETURN_SHARE)
    delay_us = rng.uniform(3, 14, len(back.user)) * DAY_US
    return _apart(back.later(delay_us, RETURN, -back.value))


def _apart(events: Events) -> Events:
    """Return events as no part of a visit."""
    return replace(events, session=np.full(len(events.user), -1))
