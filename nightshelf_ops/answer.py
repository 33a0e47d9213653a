"""Answer of `nightshelf why` about a user and an item, for the command and the console."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from nightshelf.admin.blocklist import blocked
from nightshelf.admin.namespace_state import NamespaceState, read_state
from nightshelf.admin.retention import whole_until
from nightshelf.client.results import Result
from nightshelf.client.shelf import Shelf
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest, RankedList
from nightshelf.errors import CorruptValue
from tasks.errors import RunFolderError
from tasks.explain.saved_model import Night, load_night
from tasks.explain.trace import Person, Place, trace
from tasks.runs.saved_run import SavedRun

#: As many as a list can hold.
_ALL = 1_000
#: Gives a run's saved model by its folder and the model's name.
Load = Callable[[Path, str], Night]


@dataclass(frozen=True)
class Answer:
    """The list that Redis serves, and its trace in the run's folder.

    `own` says how the user's own key stands: ``served``, ``absent``, ``unreadable`` or ``blocked``
    (all of its items are). `person` is `None` for a user without factors, `place` where no item was
    asked for; `missing` says why the folder tells nothing. `rows` are the feature rows of the items
    that the answer names. `expired` says that the time of the generation's keys is over.
    """

    user: str
    item: str | None
    served: Result
    manifest: Manifest | None
    canary: bool
    own: str
    row: dict[str, Any] | None
    blocked: bool
    acted: bool
    person: Person | None
    place: Place | None
    missing: str | None
    rows: dict[str, dict[str, Any]]
    expired: bool

    @property
    def model(self) -> str | None:
        """The model that the user's own list is of, or would be."""
        return _model_of(self.served, self.manifest) if self.manifest else None

    @property
    def position(self) -> int | None:
        """Place of the item in the served list, from 1."""
        ids = [item.item_id for item in self.served.items]
        return ids.index(self.item) + 1 if self.item in ids else None


def find_answer(
    client: Redis,
    namespace: str,
    user: str,
    item: str | None,
    runs: Path,
    load: Load = load_night,
) -> Answer:
    """Ask Redis and the run's folder, whose model and rules `load` gives.

    Raises `InvalidKey` for what is no id, and errors of Redis.
    """
    keys = Keys(namespace)
    own_masked = keys.masked(user)  # refuses what is no id, before anything is asked
    served, state = Shelf(client, namespace).get(user, _ALL), read_state(client, namespace)
    manifest = _maker(served, state)
    off = frozenset(blocked(client, namespace))
    own, row, rows = "absent", None, {}
    person, place, missing = None, None, None
    if manifest:
        at = manifest.generation
        model = _model_of(served, manifest)
        value: Any = client.get(keys.list(at, model, user))
        own = _own(value, off)
        row = _rows(client, {user: keys.user(at, user)}).get(user)
        folder = runs / namespace / str(at)
        person, place, missing = _traced(folder, manifest, model, user, item, load)
        named = sorted(_named(served, item, place))
        rows = _rows(client, {name: keys.item(at, name) for name in named})
    return Answer(
        user=user,
        item=item,
        served=served,
        manifest=manifest,
        canary=bool(manifest and state.canary and manifest.generation == state.canary.generation),
        own=own,
        row=row,
        blocked=item in off,
        acted=item is not None and client.zscore(own_masked, item) is not None,
        person=person,
        place=place,
        missing=missing,
        rows=rows,
        expired=_expired(manifest, state),
    )


def _model_of(served: Result, manifest: Manifest) -> str:
    own = served.model if served.source == "list" else None
    return own or manifest.default_model


def _maker(served: Result, state: NamespaceState) -> Manifest | None:
    """Return the generation that answered; the live one where all its keys have expired."""
    return state.live if served.generation is None else state.find(served.generation)


def _expired(manifest: Manifest | None, state: NamespaceState) -> bool:
    until = whole_until(manifest) if manifest else None
    return until is not None and until <= state.now


def _own(value: bytes | None, off: frozenset[str]) -> str:
    if value is None:
        return "absent"
    try:
        left = RankedList.from_json(value).without(off).items
    except CorruptValue:
        return "unreadable"
    return "served" if left else "blocked"


def _traced(
    folder: Path, manifest: Manifest, model: str, user: str, item: str | None, load: Load
) -> tuple[Person | None, Place | None, str | None]:
    """Trace in the generation's folder, or return the reason why not."""
    try:
        there = SavedRun.open(folder).manifest
        if there.digest != manifest.digest:
            raise RunFolderError(
                f"{folder} is of other lists (digest {there.digest[:12]}) than those that are "
                f"served (digest {manifest.digest[:12]})"
            )
        return *trace(load(folder, model), user, item), None
    except RunFolderError as error:
        return None, None, str(error)


def _named(served: Result, item: str | None, place: Place | None) -> set[str]:
    """Return the ids of the items that the answer names."""
    found = {item} if item else set()
    if place:
        found |= {each.item_id for each in place.because if each.item_id is not None}
        found |= {each.item_id for each in place.rivals}
    for each in served.items:
        if each.item_id == item:
            found |= {*each.reason[1:]}
    return found


def _rows(client: Redis, keys: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return feature rows by id, leaving out those that Redis does not have."""
    values: Iterable[bytes | None] = client.mget(list(keys.values())) if keys else []  # type: ignore[assignment]
    return {name: _row(value) for name, value in zip(keys, values, strict=True) if value}


def _row(value: bytes) -> dict[str, Any]:
    try:
        row = json.loads(value)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise CorruptValue(f"not a feature row: {value[:80]!r}")
    return row
