"""Visits of a day: users, and the times at which they come."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from data.simulator.settings import TrafficSettings
from data.simulator.shop_day import ShopDay

_VISITS, _CHANCES = 12, 13
_DAY_S = 86_400.0
#: Hours of the day at which most people come, their spread, and the share of the second.
_NOON, _EVENING, _EVENING_SHARE = (12.5, 2.5), (20.0, 1.5), 0.6
#: Hours between which newcomers come for the first and the second time.
_FIRST, _SECOND = (8.0, 11.5), (18.0, 22.0)


@dataclass(frozen=True)
class Visit:
    """A visit of a user (by number in `ShopDay.people`); `number` is its own within the day."""

    number: int
    user: int
    user_id: str
    at: datetime


def visits_of(shop: ShopDay, traffic: TrafficSettings) -> list[Visit]:
    """Return the visits of a day in order of time: of known users by how often they came before."""
    rng = np.random.default_rng([traffic.seed, _VISITS, shop.day.toordinal()])
    n_known = len(shop.people.ids) - shop.n_newcomers
    often = shop.people.visits[:n_known] / shop.people.visits[:n_known].sum()
    known = rng.choice(n_known, traffic.visits_a_day, p=often)
    evening = rng.random(len(known)) < _EVENING_SHARE
    hours = np.where(evening, rng.normal(*_EVENING, len(known)), rng.normal(*_NOON, len(known)))
    new = np.arange(n_known, len(shop.people.ids))
    users = np.concatenate([known, new, new])
    hours = np.concatenate(
        [hours % 24, rng.uniform(*_FIRST, len(new)), rng.uniform(*_SECOND, len(new))]
    )
    order = np.argsort(hours, kind="stable")
    midnight = datetime(shop.day.year, shop.day.month, shop.day.day, tzinfo=UTC)
    # The last minutes of a day are left free: what a visitor does there ends on that day too.
    seconds = np.minimum(hours * 3600, _DAY_S - 600)
    return [
        Visit(
            number,
            int(users[at]),
            str(shop.people.ids[users[at]]),
            midnight + timedelta(seconds=round(float(seconds[at]), 3)),
        )
        for number, at in enumerate(order)
    ]


def chances(shop: ShopDay, visit: Visit, traffic: TrafficSettings) -> np.random.Generator:
    """Return the random stream of one visit."""
    return np.random.default_rng([traffic.seed, _CHANCES, shop.day.toordinal(), visit.number])
