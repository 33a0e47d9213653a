"""Fallback levels by name, popular and similar lists, and the masks of a user.

Levels: own list, blend of favourite categories, segment, everyone. A level whose items are all
hidden counts as absent.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from nightshelf.client.core.masking import FAVORITES, MaskedList, Masks, blend
from nightshelf.client.core.protocol import Exchange
from nightshelf.client.core.read import LIST, MASK, POPULAR, USER, Values, fetch
from nightshelf.client.core.state import CallState, ClientState
from nightshelf.client.core.stored_list import StoredList
from nightshelf.contract.values import Manifest
from nightshelf.errors import InvalidKey

#: Favourite categories of a user that are blended at most.
_MAX_FAVORITES = 5
T = TypeVar("T")


def segments_of_row(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return the segments of a user's favourite categories, then the user's own, if any.

    >>> segments_of_row({"favorite_categories": ["Lamps", "Toys"], "segment": "gold"})
    (['category:Lamps', 'category:Toys'], 'segment:gold')
    """
    categories, segment = row.get("favorite_categories"), row.get("segment")
    favorites = [name for name in categories or () if isinstance(name, str) and name]
    favorites = [f"category:{name}" for name in favorites[:_MAX_FAVORITES]]
    return (favorites, f"segment:{segment}") if isinstance(segment, str) else (favorites,)


def popular_lists(
    state: ClientState, call: CallState, live: Manifest, segments: Iterable[str]
) -> Exchange[dict[str, StoredList]]:
    """Return the popular lists that exist, by segment."""
    keys = named(segments, lambda segment: state.keys.popular(live.generation, segment))
    values = yield from fetch(state, call, dict.fromkeys(keys.values(), POPULAR))
    return {name: values[key] for name, key in keys.items() if key in values}


def similar_items(
    state: ClientState, call: CallState, live: Manifest, item: str, masks: Masks
) -> Exchange[MaskedList | None]:
    """Find the list of similar items, else everyone's popular list."""
    keys = named([item], lambda name: state.keys.similar(live.generation, name))
    values: Values = yield from fetch(state, call, dict.fromkeys(keys.values(), POPULAR))
    for ranked in values.values():
        if masks.leave(ranked):
            return MaskedList(f"similar:{item}", ranked, live, masks)
    return (yield from in_segment(state, call, live, "all", masks))


def in_segment(
    state: ClientState, call: CallState, live: Manifest, segment: str, masks: Masks
) -> Exchange[MaskedList | None]:
    """Find a segment's popular list, else everyone's."""
    lists = yield from popular_lists(state, call, live, [segment, "all"])
    for name in (segment, "all"):
        if name in lists and masks.leave(lists[name]):
            return MaskedList(f"popular:{name}", lists[name], live, masks)
    return None


def at_level(
    state: ClientState, call: CallState, live: Manifest, user: str, level: str, masks: Masks
) -> Exchange[MaskedList | None]:
    """Return the list of a fallback level, for a further page."""
    kind, _, name = level.partition(":")
    ranked: StoredList | None = None
    if kind == "list":
        key = state.keys.list(live.generation, name, user)
        ranked = (yield from fetch(state, call, {key: LIST})).get(key)
    elif name == FAVORITES:
        key = state.keys.user(live.generation, user)
        row = (yield from fetch(state, call, {key: USER})).get(key, {})
        favorites = segments_of_row(row)[0]
        lists = yield from popular_lists(state, call, live, favorites)
        ranked = blend([lists[each] for each in favorites if each in lists]) if lists else None
    else:
        ranked = (yield from popular_lists(state, call, live, [name])).get(name)
    return MaskedList(level, ranked, live, masks) if ranked else None


def masks_of(
    state: ClientState, call: CallState, user: str | None, masked: frozenset[str] | None = None
) -> Masks:
    """Return the masks of a user: everyone's, this process's own, and those read from Redis."""
    here = state.masked_here(user) if user is not None else None
    if not here and not masked:
        return call.pointer.masks
    return call.pointer.masks._replace(masked=(here or frozenset()) | (masked or frozenset()))


def read_masks(state: ClientState, call: CallState, user: str | None) -> Exchange[Masks]:
    """Read the masks of a user, or everyone's for `None`."""
    keys = named([] if user is None else [user], state.keys.masked)
    values = yield from fetch(state, call, dict.fromkeys(keys.values(), MASK))
    return masks_of(state, call, user, next(iter(values.values()), None))


def named(names: Iterable[str], key: Callable[[str], T]) -> dict[str, T]:
    """Return the key, or keys, of each valid name."""
    keys = {}
    for name in names:
        try:  # on the path of every call; `suppress` takes longer than the key
            keys[name] = key(name)
        except InvalidKey:
            continue
    return keys
