"""The sample shop on a day after its log: people with newcomers, catalogue with arrivals."""

from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from data.sample_shop.catalogue import Catalogue, Ints, title_of
from data.sample_shop.events import SECOND_US
from data.sample_shop.shop import ShopSettings, invent
from data.sample_shop.users import People, make_people
from data.sample_shop.vocabulary import N_STYLES, WORDS
from data.simulator.settings import TrafficSettings

Part = TypeVar("Part", People, Catalogue)
#: Random streams beside those of the shop (0 to 2).
_PEOPLE, _ITEMS = 10, 11
#: Titles of arrivals go on where those of a large shop end.
_PLACE = 600


@dataclass(frozen=True)
class ShopDay:
    """The shop on a day: `people` and `catalogue` as its log was made, and arrivals since.

    `arrivals` holds the items that came since the log's end, the newest last; `n_newcomers` people
    at the end of `people` come for the first time that day.
    """

    day: date
    people: People
    catalogue: Catalogue
    arrivals: Catalogue
    n_newcomers: int

    @cached_property
    def _place(self) -> dict[str, int]:
        ids = [*self.catalogue.ids.tolist(), *self.arrivals.ids.tolist()]
        return {item: at for at, item in enumerate(ids)}

    @cached_property
    def category(self) -> Ints:
        """Category of each item, those of the log first."""
        return np.concatenate([self.catalogue.category, self.arrivals.category])

    @cached_property
    def style(self) -> Ints:
        """Style of each item, those of the log first."""
        return np.concatenate([self.catalogue.style, self.arrivals.style])

    @cached_property
    def loves(self) -> Ints:
        """Loved style of each user and category, -1 where the category is no favourite."""
        return self.people.loves(len(self.catalogue.names))

    def places(self, items: list[str]) -> Ints:
        """Return the numbers of items by id; `KeyError` for an unknown one."""
        return np.array([self._place[item] for item in items], np.int64)

    def price(self, item: str) -> float:
        """Return an item's price."""
        at, known = self._place[item], len(self.catalogue.ids)
        return float(self.catalogue.price[at] if at < known else self.arrivals.price[at - known])

    def items(self) -> pa.Table:
        """Return the catalogue's table as of this day, in order of item id."""
        both = [self.catalogue.table(), self.arrivals.table()]
        return pa.concat_tables(both).sort_by("item_id")


def shop_on(day: date, shop: ShopSettings, traffic: TrafficSettings) -> ShopDay:
    """Return the shop on a day from its log's end on."""
    catalogue, people = invent(shop)
    since = [shop.end.date() + timedelta(n) for n in range((day - shop.end.date()).days + 1)]
    arrivals = [_arrivals(each, shop, traffic) for each in since]
    newcomers = [_newcomers(each, shop, traffic) for each in since]
    return ShopDay(
        day, _joined([people, *newcomers]), catalogue, _joined(arrivals), traffic.newcomers_a_day
    )


def _newcomers(day: date, shop: ShopSettings, traffic: TrafficSettings) -> People:
    """Return a day's newcomers, `n` with the date and a number."""
    n = traffic.newcomers_a_day
    rng = np.random.default_rng([traffic.seed, _PEOPLE, day.toordinal()])
    end_us = _begin_us(day, shop)
    people = make_people(rng, n, shop.n_categories, shop.visits_mean, end_us)
    ids = np.array([f"n{day:%Y%m%d}-{number:03}" for number in range(n)], np.str_)
    return replace(people, ids=ids, created_us=np.full(n, end_us), visits=np.ones(n, np.int64))


def _arrivals(day: date, shop: ShopSettings, traffic: TrafficSettings) -> Catalogue:
    """Return a day's new items, `a` with the date and a number."""
    n = traffic.new_items_a_day
    rng = np.random.default_rng([traffic.seed, _ITEMS, day.toordinal()])
    names = list(WORDS)[: shop.n_categories]
    category, style = rng.integers(len(names), size=n), rng.integers(N_STYLES, size=n)
    places = [_PLACE + N_STYLES * number for number in rng.integers(0, 1000, n)]
    return Catalogue(
        names=names,
        ids=np.array([f"a{day:%Y%m%d}-{number:03}" for number in range(n)], np.str_),
        titles=[
            title_of(names[at], place + int(of))
            for at, of, place in zip(category, style, places, strict=True)
        ],
        category=category,
        style=style,
        price=np.floor(rng.lognormal(np.log(22), 0.5, n)) + 0.95,
        available=np.full(n, True),
        created_us=np.full(n, _begin_us(day, shop)),
        wanted=np.ones(n),
    )


def _begin_us(day: date, shop: ShopSettings) -> int:
    begin = datetime(day.year, day.month, day.day, tzinfo=shop.end.tzinfo)
    return round(begin.timestamp()) * SECOND_US


def _joined(parts: list[Part]) -> Part:
    """Return people or catalogues as one, in the order given; names are those of the first."""
    columns = dict[str, Any]()
    for column in fields(parts[0]):
        found: list[Any] = [getattr(part, column.name) for part in parts]
        if isinstance(found[0], np.ndarray):
            columns[column.name] = np.concatenate(found)
        elif column.name == "names":
            columns[column.name] = found[0]
        else:
            columns[column.name] = [*chain.from_iterable(found)]
    return replace(parts[0], **columns)
