"""Facts of the inspector of an item, and the search for one."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from redis import Redis

from nightshelf.admin.namespace_state import read_state
from nightshelf.client.shelf import Shelf
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from nightshelf.service.console.lists import (
    Masks,
    Named,
    Place,
    decoded,
    named_in,
    places_of,
    read_masks,
    read_names,
)
from nightshelf.service.console.user_facts import UNCACHED, Field, fields_of, stored_row


@dataclass(frozen=True)
class ItemFacts:
    """An item as the store and readers see it; `marks` are those of `lists.Masks`.

    `similar` is the stored list of similar items, `None` where Redis holds none; `available` is of
    the feature row, `None` where there is none.
    """

    item_id: str
    live: Manifest | None
    fields: tuple[Field, ...]
    named: Named
    available: bool | None
    marks: tuple[str, ...]
    similar: tuple[Place, ...] | None
    now: datetime
    seconds: float

    @property
    def known(self) -> bool:
        """Tell whether the live generation's catalogue has the item."""
        return bool(self.fields)

    @property
    def is_blocked(self) -> bool:
        """Tell whether it is blocked on every path."""
        return "blocked" in self.marks


def read_item(client: Redis, namespace: str, item: str) -> ItemFacts:
    """Read an item's facts; raises `InvalidKey` for what is no id, and errors of Redis."""
    began, keys = time.perf_counter(), Keys(namespace)
    keys.item_update(item)  # refuses what is no id, before anything is asked
    state, masks = read_state(client, namespace), read_masks(client, keys)
    live, similar, night = state.live, None, None
    now = Shelf(client, namespace, settings=UNCACHED).item_features([item]).get(item, {})
    if live:
        with client.pipeline(transaction=False) as pipe:
            pipe.get(keys.similar(live.generation, item))
            pipe.get(keys.item(live.generation, item))
            value, night = pipe.execute()
        if ranked := decoded(value):
            names = read_names(client, keys, [live.generation], named_in(ranked))
            similar = places_of(ranked, names, masks)
    return ItemFacts(
        item,
        live,
        fields_of(stored_row(night), now),
        Named(*(str(now[name]) if now.get(name) else None for name in ("title", "category"))),
        now.get("available"),
        masks.of(item),
        similar,
        state.now,
        time.perf_counter() - began,
    )


def item_names(client: Redis, namespace: str, items: list[str]) -> Mapping[str, Named]:
    """Return titles and categories by id, of the live generation."""
    live = read_state(client, namespace).live
    generations = [live.generation] if live else []
    return read_names(client, Keys(namespace), generations, items)


def everyones_masks(client: Redis, namespace: str) -> Masks:
    """Return the items that are hidden for everyone."""
    return read_masks(client, Keys(namespace))
