"""Rung by rung: own list, favourite categories' popular lists in turn, segment, everyone.

A rung of which nothing may be shown counts as absent. All values of one rung come in one round
trip for all users together.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from nightshelf.client.core.masking import FAVORITES, Found, Masks, blend
from nightshelf.client.core.protocol import Talk
from nightshelf.client.core.read import (
    LIST,
    MASK,
    POPULAR,
    USER,
    Values,
    Wanted,
    fetch,
    read_through,
)
from nightshelf.client.core.state import Call, Mind
from nightshelf.client.core.stored_list import Shelved
from nightshelf.client.results import as_live
from nightshelf.contract.keys import encode_id, in_canary
from nightshelf.contract.values import Canary, Manifest
from nightshelf.errors import InvalidKey

#: A user's favourite categories that are blended, at most.
_MAX_FAVORITES = 5
_EVERYONE = "popular:all"
T = TypeVar("T")


def personal(
    mind: Mind,
    call: Call,
    live: Manifest,
    users: Sequence[str],
    model: str | None,
    use: Callable[[str, Found], T],
) -> Talk[dict[str, T]]:
    """Find each user's list; those of a canary in its generation, as far as that has any.

    Each is put to `use` as it is found: of many, the lists themselves are held one at a time.
    """
    if live.canary:
        return _of_two(mind, call, live, live.canary, users, model, use)
    return _of_one(mind, call, live, users, model, use)


def _of_two(
    mind: Mind,
    call: Call,
    live: Manifest,
    out: Canary,
    users: Sequence[str],
    model: str | None,
    use: Callable[[str, Found], T],
) -> Talk[dict[str, T]]:
    drawn = [user for user in users if in_canary(user, out.generation, out.share)]
    made: dict[str, T] = {}
    if drawn:
        made |= yield from _of_one(mind, call, as_live(live, out), drawn, model, use)
    rest = [user for user in users if user not in made]
    if rest:
        made |= yield from _of_one(mind, call, live, rest, model, use)
    return made


def _of_one(
    mind: Mind,
    call: Call,
    live: Manifest,
    users: Sequence[str],
    model: str | None,
    use: Callable[[str, Found], T],
) -> Talk[dict[str, T]]:
    """Find lists of one generation alone."""
    name = model or live.default_model
    lists, masked = mind.keys.lists(live.generation, name), mind.keys.masked
    ids = named(users, encode_id)
    wanted: Wanted = {}
    for encoded in ids.values():
        wanted[lists + encoded] = LIST
        wanted[masked + encoded] = MASK
    if len(users) == 1:
        value: Callable[[str], Any] = (yield from fetch(mind, call, wanted)).get
    else:
        value = yield from read_through(mind, call, wanted)
    rung = f"list:{name}"
    made: dict[str, T] = {}
    strangers: dict[str, Masks] = {}
    for user in users:
        if user in made or user in strangers:
            continue
        encoded = ids.get(user, "")
        mask = masks_of(mind, call, user, value(masked + encoded))
        own = value(lists + encoded)
        if own is not None and mask.leave(own):
            made[user] = use(user, Found(rung, own, live, mask))
        else:
            strangers[user] = mask
    if strangers:
        found = yield from _by_taste(mind, call, live, strangers)
        made |= {user: use(user, each) for user, each in found.items()}
    return made


def _by_taste(
    mind: Mind, call: Call, live: Manifest, strangers: dict[str, Masks]
) -> Talk[dict[str, Found]]:
    """Find the nearest popular lists for users without a list of their own."""
    keys = named(strangers, lambda user: mind.keys.user(live.generation, user))
    rows = yield from fetch(mind, call, dict.fromkeys(keys.values(), USER))
    tastes = {user: _taste(rows.get(keys.get(user, ""), {})) for user in strangers}
    segments = [name for favorites, *rest in tastes.values() for name in (*favorites, *rest)]
    lists = yield from popular_lists(mind, call, live, [*segments, "all"])
    found: dict[str, Found] = {}
    for user, (favorites, *rest) in tastes.items():
        blended = [lists[name] for name in favorites if name in lists]
        rungs = [(f"popular:{name}", lists[name]) for name in (*rest, "all") if name in lists]
        if blended:
            rungs.insert(0, (f"popular:{FAVORITES}", blend(blended)))
        for rung, ranked in rungs:
            if strangers[user].leave(ranked):
                found[user] = Found(rung, ranked, live, strangers[user])
                break
    return found


def _taste(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return the segments of a user's favourite categories, and the user's own where there is one.

    >>> _taste({"favorite_categories": ["Lamps", "Toys"], "segment": "gold"})
    (['category:Lamps', 'category:Toys'], 'segment:gold')
    """
    categories, segment = row.get("favorite_categories"), row.get("segment")
    favorites = [name for name in categories or () if isinstance(name, str) and name]
    favorites = [f"category:{name}" for name in favorites[:_MAX_FAVORITES]]
    return (favorites, f"segment:{segment}") if isinstance(segment, str) else (favorites,)


def popular_lists(
    mind: Mind, call: Call, live: Manifest, segments: Iterable[str]
) -> Talk[dict[str, Shelved]]:
    """Return the popular lists of segments by segment, as far as there are any."""
    keys = named(segments, lambda segment: mind.keys.popular(live.generation, segment))
    values = yield from fetch(mind, call, dict.fromkeys(keys.values(), POPULAR))
    return {name: values[key] for name, key in keys.items() if key in values}


def alike(mind: Mind, call: Call, live: Manifest, item: str, masks: Masks) -> Talk[Found | None]:
    """Find the items like one item, or else what everyone likes."""
    keys = named([item], lambda name: mind.keys.similar(live.generation, name))
    values: Values = yield from fetch(mind, call, dict.fromkeys(keys.values(), POPULAR))
    for ranked in values.values():
        if masks.leave(ranked):
            return Found(f"similar:{item}", ranked, live, masks)
    return (yield from in_segment(mind, call, live, "all", masks))


def in_segment(
    mind: Mind, call: Call, live: Manifest, segment: str, masks: Masks
) -> Talk[Found | None]:
    """Find a segment's popular list, or else everyone's."""
    lists = yield from popular_lists(mind, call, live, [segment, "all"])
    for name in (segment, "all"):
        if name in lists and masks.leave(lists[name]):
            return Found(f"popular:{name}", lists[name], live, masks)
    return None


def on_rung(
    mind: Mind, call: Call, live: Manifest, user: str, rung: str, masks: Masks
) -> Talk[Found | None]:
    """Return the list that a rung named, for a further page of it."""
    kind, _, name = rung.partition(":")
    ranked: Shelved | None = None
    if kind == "list":
        key = mind.keys.list(live.generation, name, user)
        ranked = (yield from fetch(mind, call, {key: LIST})).get(key)
    elif name == FAVORITES:
        key = mind.keys.user(live.generation, user)
        row = (yield from fetch(mind, call, {key: USER})).get(key, {})
        favorites = _taste(row)[0]
        lists = yield from popular_lists(mind, call, live, favorites)
        ranked = blend([lists[each] for each in favorites if each in lists]) if lists else None
    else:
        ranked = (yield from popular_lists(mind, call, live, [name])).get(name)
    return Found(rung, ranked, live, masks) if ranked else None


def masks_of(
    mind: Mind, call: Call, user: str | None, acted: frozenset[str] | None = None
) -> Masks:
    """Return what is not to be shown, by what is known without asking and what was read."""
    here = mind.acted_here(user) if user is not None else None
    if not here and not acted:
        return call.seen.masks
    return call.seen.masks._replace(acted=(here or frozenset()) | (acted or frozenset()))


def read_masks(mind: Mind, call: Call, user: str | None) -> Talk[Masks]:
    """Return what is not to be shown to a user, or to anyone where none is named."""
    keys = named([] if user is None else [user], mind.keys.acted)
    values = yield from fetch(mind, call, dict.fromkeys(keys.values(), MASK))
    return masks_of(mind, call, user, next(iter(values.values()), None))


def named(names: Iterable[str], key: Callable[[str], T]) -> dict[str, T]:
    """Return the key, or the keys, of each name that can have one."""
    keys = {}
    for name in names:
        try:  # as on every call's way; `suppress` takes longer than the key
            keys[name] = key(name)
        except InvalidKey:
            continue
    return keys
