"""Facts of the inspector of a user: who it is, what it did, its list now and beside others.

Each is read by key; how long it takes does not depend on how many keys there are.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from redis import Redis

from nightshelf.admin.namespace_state import NamespaceState, read_state
from nightshelf.client.core.recent_events import UserEvent, decode_user_events
from nightshelf.client.results import Result
from nightshelf.client.settings import ReadSettings
from nightshelf.client.shelf import Shelf
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest, RankedList, row
from nightshelf.errors import CorruptValue
from nightshelf.service.console.lists import (
    Beside,
    Masks,
    Named,
    Place,
    beside,
    decoded,
    named_in,
    places_of,
    read_masks,
    read_names,
)
from nightshelf.service.console.user_history import Happening, history_of

#: Nothing is kept in the process: a page shows what Redis holds.
UNCACHED = ReadSettings(max_bytes=0)
#: As many as a list can hold.
ALL = 1_000
#: States of generations that readers have had, and that were not marked bad; a canary's user sees
#: the live one as the one before.
_SERVED_STATES = ("live", "previous", "replaced")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """A field of a feature row: as the night wrote it, and now."""

    name: str
    night: Any
    now: Any

    @property
    def changed(self) -> bool:
        """Tell whether it has changed since the night."""
        return bool(self.night != self.now)


@dataclass(frozen=True)
class UserFacts:
    """A user as the store and readers see it; `made` is the generation that answered.

    `served` is the page that an app gets, `page` its places; `hidden` are places of the user's own
    stored list that masks leave out. `comparisons` begin with the generation before. `seconds` is
    how long the facts took to read.
    """

    user: str
    made: Manifest | None
    is_canary: bool
    fields: tuple[Field, ...]
    history: tuple[Happening, ...]
    viewed: tuple[tuple[str, str | None], ...]
    served: Result
    page: tuple[Place, ...]
    hidden: tuple[Place, ...]
    n_stored: int | None
    comparisons: tuple[Beside, ...]
    now: datetime
    seconds: float

    @property
    def known(self) -> bool:
        """Tell whether the log or the users file knows the user."""
        return bool(self.fields)

    @property
    def segment(self) -> str | None:
        """The user's segment."""
        return next((each.now for each in self.fields if each.name == "segment"), None)


def read_user(client: Redis, namespace: str, user: str, n: int = 10) -> UserFacts:
    """Read a user's facts, with `n` places of each list.

    Raises `InvalidKey` for what is no id, and errors of Redis.
    """
    began, keys = time.perf_counter(), Keys(namespace)
    masked_key = keys.masked(user)  # refuses what is no id, before anything is asked
    state = read_state(client, namespace)
    shelf = Shelf(client, namespace, settings=UNCACHED)
    served, row_now = shelf.get(user, n), shelf.user_features(user)
    made = _maker(served, state)
    before = _before(state, made)
    read = _Read.of(client, keys, user, masked_key, made, before, served)
    shown = RankedList(
        tuple(each.item_id for each in served.items),
        tuple(each.score for each in served.items),
        tuple(each.reason for each in served.items),
    )
    viewed = tuple(row_now.get("recent_views") or ())
    lists = [shown, *(each for each in read.lists.values() if each)]
    generations = [each.generation for each in (made, before) if each]
    wanted = {item for each in lists for item in named_in(_first(each, n))}
    wanted |= {*viewed, *read.masked, *(each.item_id for each in read.events)}
    hides = replace(read_masks(client, keys), acted_on=frozenset(read.masked))
    own = read.lists.get(read.own_key)
    if own:
        wanted |= {item for item in own.items if hides.of(item)}
    names = read_names(client, keys, generations, wanted)
    return UserFacts(
        user,
        made,
        bool(made and state.canary and made.generation == state.canary.generation),
        fields_of(read.row_night, row_now),
        history_of(read.events, read.masked, names),
        tuple((item, names.get(item, Named()).title) for item in viewed),
        served,
        places_of(shown, names, hides),
        _hidden(own, names, hides),
        len(own.items) if own else None,
        tuple(_comparisons(read, shown, served, made, before, n, names)),
        state.now,
        time.perf_counter() - began,
    )


@dataclass(frozen=True)
class _Read:
    """Values of a user's keys, read in one round trip; `lists` by key, `None` where absent."""

    row_night: Row
    masked: Mapping[str, float]
    events: Sequence[UserEvent]
    lists: Mapping[str, RankedList | None]
    own_key: str
    before_key: str
    model_keys: Mapping[str, str]

    @classmethod
    def of(
        cls,
        client: Redis,
        keys: Keys,
        user: str,
        masked_key: str,
        made: Manifest | None,
        before: Manifest | None,
        served: Result,
    ) -> "_Read":
        """Read them; nothing where no generation is live."""
        own_key = row_key = before_key = ""
        model_keys: dict[str, str] = {}
        if made:
            model = served.model or made.default_model
            lists = {name: keys.list(made.generation, name, user) for name in (*made.models, model)}
            own_key, model_keys = lists[model], {name: lists[name] for name in made.models}
            row_key = keys.user(made.generation, user)
            if before:
                there = model if model in before.models else before.default_model
                before_key = keys.list(before.generation, there, user)
        wanted = dict.fromkeys(filter(None, (*model_keys.values(), own_key, before_key)))
        with client.pipeline(transaction=False) as pipe:
            pipe.zrange(masked_key, 0, -1, withscores=True)
            pipe.zrange(keys.recent(user), 0, -1, withscores=True)
            for key in filter(None, (*wanted, row_key)):
                pipe.get(key)
            masked, recent, *values = pipe.execute()
        return cls(
            stored_row(values[-1]) if row_key else {},
            {member.decode(errors="replace"): at for member, at in masked},
            decode_user_events([part for pair in recent for part in pair]),
            {key: decoded(value) for key, value in zip(wanted, values, strict=False)},
            own_key,
            before_key,
            model_keys,
        )


def fields_of(night: Row, now: Row) -> tuple[Field, ...]:
    """Return the fields of both rows, in the night's order."""
    names = dict.fromkeys([*night, *now])
    return tuple(Field(name, night.get(name), now.get(name)) for name in names)


def stored_row(value: bytes | None) -> Row:
    """Decode a stored row; empty where there is none, or one that cannot be read."""
    try:
        return row(value) if value is not None else {}
    except CorruptValue:
        return {}


def _maker(served: Result, state: NamespaceState) -> Manifest | None:
    """Return the generation that answered; the live one where none did."""
    by_number = {each.generation: each for each in state.manifests}
    return by_number.get(served.generation or 0, state.live)


def _before(state: NamespaceState, made: Manifest | None) -> Manifest | None:
    """Return the newest generation before `made` that readers had and whose keys may stand."""
    for each in state.manifests:
        earlier = made is not None and each.generation < made.generation
        if earlier and each.state in _SERVED_STATES and not each.retired_at:
            return each
    return None


def _hidden(own: RankedList | None, names: Mapping[str, Named], masks: Masks) -> tuple[Place, ...]:
    return tuple(each for each in places_of(own, names, masks) if each.marks) if own else ()


def _comparisons(
    read: _Read,
    shown: RankedList,
    served: Result,
    made: Manifest | None,
    before: Manifest | None,
    n: int,
    names: Mapping[str, Named],
) -> Iterable[Beside]:
    """Yield the list beside the generation's before, then beside each other model's."""
    if made is None:
        return
    titles = {item: each.title for item, each in names.items() if each.title}
    own = read.lists.get(read.own_key) if served.source == "list" else None
    now = (f"generation {made.generation}, {served.source}", (own or shown).items)
    yield _with_before(read, now, before, n, titles)
    for model, key in read.model_keys.items():
        if served.source == "list" and key == read.own_key:
            continue
        there = read.lists.get(key)
        name = f"Model {model}"
        if there is None:
            yield Beside(name, now[0], model, missing=f"{model} has no list of this user.")
        else:
            yield beside(name, now, (f"model {model}", there.items), n, titles)


def _with_before(
    read: _Read,
    now: tuple[str, Sequence[str]],
    before: Manifest | None,
    n: int,
    titles: Mapping[str, str],
) -> Beside:
    name = "The generation before"
    if before is None:
        return Beside(name, "", now[0], missing="Redis holds no generation before this one.")
    there = read.lists.get(read.before_key)
    if there is None:
        says = f"Generation {before.generation} has no list of this user in Redis."
        return Beside(name, f"generation {before.generation}", now[0], missing=says)
    return beside(name, (f"generation {before.generation}", there.items), now, n, titles)


def _first(ranked: RankedList, n: int) -> RankedList:
    return RankedList(ranked.items[:n], ranked.scores[:n], ranked.reasons[:n])
