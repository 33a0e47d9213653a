"""`nightshelf why`: a user's served list, and why an item is in it or not."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from redis import Redis

from nightshelf.admin.blocklist import blocked
from nightshelf.admin.namespace_state import NamespaceState, read_state
from nightshelf.admin.retention import whole_until
from nightshelf.cli.context import Context
from nightshelf.client.results import Result
from nightshelf.client.shelf import Shelf
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest, RankedList
from nightshelf.errors import CorruptValue
from nightshelf_ops import why_view
from nightshelf_ops.answer import Answer
from tasks.errors import RunFolderError
from tasks.explain.saved_model import load_night
from tasks.explain.trace import Person, Place, trace
from tasks.runs.saved_run import SavedRun

#: As many as a list can hold.
_ALL = 1_000
#: What the document tells of an answer and of its items.
_SERVED = ("source", "generation", "model", "age_s", "experiment", "variant", "phase")
_ITEM = ("item_id", "score", "reason")


def show_answer(context: Context, user: str, item: str | None, runs: Path) -> None:
    """Print the answer, as tables or as JSON."""
    found = _answer(context, context.open_shelf(), user, item, runs)
    if context.as_json:
        about = {name: getattr(found.served, name) for name in _SERVED}
        items = [{name: getattr(item, name) for name in _ITEM} for item in found.served.items]
        served = {"items": items, **about}
        known = {name: value for name, value in asdict(found).items() if name != "expired"}
        context.document(**{**known, "served": served}, position=found.position)
    else:
        why_view.show(found, context.namespace)


def _answer(context: Context, shelf: Shelf, user: str, item: str | None, runs: Path) -> Answer:
    client, keys = context.client, Keys(context.namespace)
    own_masked = keys.masked(user)  # refuses what is no id, before anything is asked
    served, state = shelf.get(user, _ALL), read_state(client, context.namespace)
    manifest = _maker(served, state)
    off = frozenset(blocked(client, context.namespace))
    own, row, rows = "absent", None, {}
    person, place, missing = None, None, None
    if manifest:
        at = manifest.generation
        model = served.model if served.source == "list" and served.model else manifest.default_model
        value: Any = client.get(keys.list(at, model, user))
        own = _own(value, off)
        row = _rows(client, {user: keys.user(at, user)}).get(user)
        person, place, missing = _traced(
            runs / context.namespace / str(at), manifest, model, user, item
        )
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
    folder: Path, manifest: Manifest, model: str, user: str, item: str | None
) -> tuple[Person | None, Place | None, str | None]:
    """Trace in the generation's folder, or return the reason why not."""
    try:
        there = SavedRun.open(folder).manifest
        if there.digest != manifest.digest:
            raise RunFolderError(
                f"{folder} is of other lists (digest {there.digest[:12]}) than those that are "
                f"served (digest {manifest.digest[:12]})"
            )
        return *trace(load_night(folder, model), user, item), None
    except RunFolderError as error:
        return None, None, f"{error}; name the folder of the runs with --run-root"


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
