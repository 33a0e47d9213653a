"""The sample shop's catalogue: items by category and style, each with a popularity."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.sample_shop.vocabulary import N_STYLES, WORDS
from data.schema import ITEMS

#: The shop has no pictures.
SCHEMA = ITEMS.remove(ITEMS.get_field_index("image_url"))
DAY_US = 86_400_000_000
#: Popularity falls with rank r as r^-ZIPF: a few items that everybody looks at, a long tail.
ZIPF = 0.8
UNAVAILABLE_SHARE = 0.03
#: Items of the last two weeks, too young for the log to know them well.
NEW_SHARE = 0.04

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Catalogue:
    """Items in order of (category, style), so that each style of a category is one slice.

    `names` are the categories; `category` and `style` index into them and their styles; times are
    microseconds since 1970; `wanted` is positive, any scale.
    """

    names: list[str]
    ids: NDArray[np.str_]
    titles: list[str]
    category: Ints
    style: Ints
    price: Floats
    available: NDArray[np.bool_]
    created_us: Ints
    wanted: Floats

    def draw(self, rng: np.random.Generator, category: Ints, style: Ints) -> Ints:
        """Draw an item each by popularity: of a category and style; of any where either is -1."""
        n_groups = len(self.names) * N_STYLES
        first = category * N_STYLES + np.maximum(style, 0)
        last = np.where(style < 0, (category + 1) * N_STYLES, first + 1)
        group = self.category * N_STYLES + self.style
        low = np.searchsorted(group, np.where(category < 0, 0, first))
        high = np.searchsorted(group, np.where(category < 0, n_groups, last))
        total = np.concatenate([[0.0], np.cumsum(self.wanted)])
        at = total[low] + rng.random(len(category)) * (total[high] - total[low])
        drawn: Ints = np.clip(np.searchsorted(total, at, "right") - 1, low, high - 1)
        return drawn

    def table(self) -> pa.Table:
        """Return the items' table, in order of item id."""
        styles = [WORDS[name][0].split(", ") for name in self.names]
        tags = [
            [styles[category][style].lower(), title.rsplit(" ", 1)[-1].lower()]
            for category, style, title in zip(self.category, self.style, self.titles, strict=True)
        ]
        columns = {
            "item_id": self.ids,
            "category": [self.names[category] for category in self.category],
            "title": self.titles,
            "price": self.price,
            "available": self.available,
            "created_at": pa.array(self.created_us, pa.timestamp("us", tz="UTC")),
            "tags": tags,
        }
        return pa.table(columns, schema=SCHEMA).sort_by("item_id")


def make_catalogue(
    rng: np.random.Generator, n_items: int, n_categories: int, end_us: int
) -> Catalogue:
    """Stock the shop: `n_items` over `n_categories`, evenly; ids number them in order of age."""
    category = np.sort(np.arange(n_items) % n_categories)
    place = np.arange(n_items) - np.searchsorted(category, category)
    style = place % N_STYLES
    order = np.lexsort((place, style, category))
    category, place, style = category[order], place[order], style[order]
    names = list(WORDS)[:n_categories]
    wanted = 1.0 / np.arange(1, n_items + 1) ** ZIPF
    created_us = end_us - (_age_days(rng, n_items) * DAY_US).astype(np.int64)
    by_age = np.empty(n_items, dtype=np.int64)
    by_age[np.argsort(created_us, kind="stable")] = np.arange(1, n_items + 1)
    level = rng.lognormal(np.log(22), 0.5, n_categories)[category]
    return Catalogue(
        names=names,
        ids=np.char.mod("i%05d", by_age),
        titles=[title_of(names[c], int(p)) for c, p in zip(category, place, strict=True)],
        category=category,
        style=style,
        price=np.floor(level * rng.lognormal(0, 0.4, n_items)) + 0.95,
        available=rng.random(n_items) >= UNAVAILABLE_SHARE,
        created_us=created_us,
        wanted=rng.permutation(wanted),
    )


def _age_days(rng: np.random.Generator, n_items: int) -> Floats:
    """Return ages in days at the log's end: most from months to two years, some of two weeks."""
    old = 14 + 716 * rng.random(n_items) ** 0.8
    return np.where(rng.random(n_items) < NEW_SHARE, 14 * rng.random(n_items), old)


def title_of(category: str, place: int) -> str:
    """Return the title of a category's item by its number there, the style in turn."""
    styles, things = (words.split(", ") for words in WORDS[category])
    thing, edition = place // N_STYLES % len(things), place // (N_STYLES * len(things))
    title = f"{styles[place % N_STYLES]} {things[thing]}"
    return f"{title} No. {edition + 1}" if edition else title
