"""A user's list: of the variant's model, else of the default model, else by the user's feature row.

One round trip reads a level for all users.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from nightshelf.client.core.fallback import masks_of, named, popular_lists, segments_of_row
from nightshelf.client.core.masking import FAVORITES, MaskedList, Masks, blend
from nightshelf.client.core.protocol import Exchange
from nightshelf.client.core.read import LIST, MASK, USER, Wanted, fetch, read_through
from nightshelf.client.core.state import CallState, ClientState
from nightshelf.client.results import as_live
from nightshelf.contract.assignment import in_canary
from nightshelf.contract.experiment import Assignment
from nightshelf.contract.keys import encode_id
from nightshelf.contract.values import Manifest

#: Keys of an invalid id: no value has them.
_NO_KEYS = ("", "")
T = TypeVar("T")


def personal(
    state: ClientState,
    call: CallState,
    live: Manifest,
    users: Sequence[str],
    model: str | None,
    assignments: Mapping[str, Assignment],
    use: Callable[[str, MaskedList], T],
) -> Exchange[dict[str, T]]:
    """Find each user's list, in the canary's generation for its users where that has one.

    It is of `model`, else of the user's variant, else of the default model. Each list is passed to
    `use` at once, so that a batch holds only one list at a time.
    """
    made: dict[str, T] = {}
    if canary := live.canary:
        drawn = [user for user in users if in_canary(user, canary.generation, canary.share)]
        if drawn:
            beside = as_live(live, canary)
            made = yield from _in_generation(state, call, beside, drawn, model, assignments, use)
        users = [user for user in users if user not in made]
    if users:
        made |= yield from _in_generation(state, call, live, users, model, assignments, use)
    return made


def _in_generation(
    state: ClientState,
    call: CallState,
    live: Manifest,
    users: Sequence[str],
    model: str | None,
    assignments: Mapping[str, Assignment],
    use: Callable[[str, MaskedList], T],
) -> Exchange[dict[str, T]]:
    """Find each user's list in one generation."""
    name = model or live.default_model
    list_key, mask_key = state.keys.lists(live.generation, name).key, state.mask_key
    keys = {user: (list_key(id_), mask_key(id_)) for user, id_ in named(users, encode_id).items()}
    levels = _other_levels(live, name, assignments, keys) if assignments else {}
    for user, level in levels.items():
        key = state.keys.list(live.generation, level.removeprefix("list:"), user)
        keys[user] = key, keys[user][1]
    wanted: Wanted = {}
    for of_list, of_mask in keys.values():
        wanted[of_list] = LIST
        wanted[of_mask] = MASK
    if len(users) == 1:
        value: Callable[[str], Any] = (yield from fetch(state, call, wanted)).get
    else:
        value = yield from read_through(state, call, wanted)
    level = f"list:{name}"
    made: dict[str, T] = {}
    unlisted: dict[str, Masks] = {}
    for user in users:
        if user in made or user in unlisted:
            continue
        of_list, of_mask = keys.get(user, _NO_KEYS)
        mask = masks_of(state, call, user, value(of_mask))
        own = value(of_list)
        if own is not None and mask.leave(own):
            made[user] = use(user, MaskedList(levels.get(user, level), own, live, mask))
        else:
            unlisted[user] = mask
    if unlisted:
        found = yield from _next_level(state, call, live, unlisted, levels.keys() & unlisted.keys())
        made |= {user: use(user, each) for user, each in found.items()}
    return made


def _other_levels(
    live: Manifest, model: str, assignments: Mapping[str, Assignment], users: Collection[str]
) -> dict[str, str]:
    """Return the level of users whose variant has a published model other than `model`."""
    return {
        user: f"list:{each.model}"
        for user, each in assignments.items()
        if user in users and each.model != model and each.model in live.models
    }


def _next_level(
    state: ClientState,
    call: CallState,
    live: Manifest,
    unlisted: dict[str, Masks],
    by_variant: Collection[str],
) -> Exchange[dict[str, MaskedList]]:
    """Find the default model's list of users whose variant's has none, else popular lists.

    Both are read with the rows that name the users' segments: a round trip fewer than one by one.
    """
    rows = named(unlisted, lambda user: state.keys.user(live.generation, user))
    lists = {
        user: state.keys.list(live.generation, live.default_model, user) for user in by_variant
    }
    wanted = dict.fromkeys(rows.values(), USER) | dict.fromkeys(lists.values(), LIST)
    values = yield from fetch(state, call, wanted)
    level = f"list:{live.default_model}"
    found = {
        user: MaskedList(level, values[key], live, unlisted[user])
        for user, key in lists.items()
        if key in values and unlisted[user].leave(values[key])
    }
    left = {user: masks for user, masks in unlisted.items() if user not in found}
    if left:
        of_user = {user: values.get(rows.get(user, ""), {}) for user in left}
        found |= yield from _by_segment(state, call, live, left, of_user)
    return found


def _by_segment(
    state: ClientState,
    call: CallState,
    live: Manifest,
    unlisted: dict[str, Masks],
    rows: Mapping[str, dict[str, Any]],
) -> Exchange[dict[str, MaskedList]]:
    """Find popular lists for users without a list of their own, by their feature rows."""
    segments_of = {user: segments_of_row(rows[user]) for user in unlisted}
    segments = [name for favorites, *rest in segments_of.values() for name in (*favorites, *rest)]
    lists = yield from popular_lists(state, call, live, [*segments, "all"])
    found: dict[str, MaskedList] = {}
    for user, (favorites, *rest) in segments_of.items():
        blended = [lists[name] for name in favorites if name in lists]
        levels = [(f"popular:{name}", lists[name]) for name in (*rest, "all") if name in lists]
        if blended:
            levels.insert(0, (f"popular:{FAVORITES}", blend(blended)))
        for level, ranked in levels:
            if unlisted[user].leave(ranked):
                found[user] = MaskedList(level, ranked, live, unlisted[user])
                break
    return found
