"""Queries: `get`, `get_many`, `similar` and `popular`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType

from nightshelf.client.core.cursor import Cursor
from nightshelf.client.core.fallback import (
    at_level,
    in_segment,
    masks_of,
    read_masks,
    similar_items,
)
from nightshelf.client.core.masking import FAVORITES, MaskedList
from nightshelf.client.core.pages import finish, page_of, plain
from nightshelf.client.core.personal import personal
from nightshelf.client.core.pointer import begin
from nightshelf.client.core.protocol import Exchange
from nightshelf.client.core.state import CallState, ClientState
from nightshelf.client.filters import Filters, fingerprint
from nightshelf.client.results import Result
from nightshelf.contract.experiment import Assignment, Experiment, assigned
from nightshelf.contract.ids import id_text
from nightshelf.contract.keys import encode_id, encode_segment
from nightshelf.contract.values import Manifest
from nightshelf.errors import InvalidCursor, InvalidKey

_NO_ASSIGNMENTS: Mapping[str, Assignment] = MappingProxyType({})


def get(
    state: ClientState,
    user: str,
    n: int,
    model: str | None,
    filters: Filters | None,
    cursor: str | None,
    metadata: bool,
    forced: str | None,
) -> Exchange[Result]:
    """Return a page of a user's list, from the start or from a cursor on."""
    user = id_text(user)
    filters = filters or None  # empty filters
    after = None if cursor is None else _checked(cursor, filters)
    checked(n)
    call = yield from begin(state)
    live = call.pointer.live
    if after:
        found = yield from _next_of(state, call, user, after)
        if not found and (
            call.failed or call.missed
        ):  # the list may still exist: retry with the same cursor
            return finish(state, call, Result((), "none", cursor=cursor))
        assignment = after.assignment
    else:
        found, assignments = None, _NO_ASSIGNMENTS
        if live and live.experiments and not model:
            assignments = _assignments(live.experiments, [user], forced)
        if live:
            by_user = yield from personal(
                state, call, live, [user], model, assignments, lambda _, each: each
            )
            found = by_user.get(user)
        found = _or_last_good(state, call, user, found)
        assignment = assignments.get(user)
    if found and assignment:
        found = MaskedList(found.level, found.ranked, found.live, found.masks, assignment)
    start = after.at if after else 0
    if filters or metadata:
        return (yield from page_of(state, call, found, n, filters, start, metadata))
    return plain(state, call, found, n, start)


def get_many(state: ClientState, users: Sequence[str], n: int) -> Exchange[list[Result]]:
    """Return the first page of many users' lists, read in one round trip."""
    checked(n)
    users = [id_text(user) for user in users]
    if not users:
        return []
    call = yield from begin(state)
    live = call.pointer.live
    assignments = _assignments(live.experiments, users) if live else _NO_ASSIGNMENTS

    def made(user: str, found: MaskedList | None) -> Result:
        found = _or_last_good(state, call, user, found)
        if found and user in assignments:
            found = found._replace(assignment=assignments[user])
        return plain(state, call, found, n)

    results: dict[str, Result] = {}
    if live:
        results = yield from personal(state, call, live, users, None, assignments, made)
    for user in users:
        if user not in results:
            results[user] = made(user, None)
    return [results[user] for user in users]


def similar(
    state: ClientState, item: str, n: int, user: str | None, metadata: bool
) -> Exchange[Result]:
    """Return items similar to one item."""
    checked(n)
    item, user = id_text(item), None if user is None else id_text(user)
    call = yield from begin(state)
    found = None
    if live := call.pointer.live:
        masks = yield from read_masks(state, call, user)
        found = yield from similar_items(state, call, live, item, masks)
    return (yield from _unpaged(state, call, found, n, user, metadata))


def popular(
    state: ClientState, segment: str, n: int, user: str | None, metadata: bool
) -> Exchange[Result]:
    """Return a segment's popular items."""
    checked(n)
    segment, user = id_text(segment), None if user is None else id_text(user)
    call = yield from begin(state)
    found = None
    if live := call.pointer.live:
        masks = yield from read_masks(state, call, user)
        found = yield from in_segment(state, call, live, segment, masks)
    return (yield from _unpaged(state, call, found, n, user, metadata))


def experiments(state: ClientState) -> Exchange[tuple[Experiment, ...]]:
    """Return the live experiments."""
    call = yield from begin(state)
    return call.pointer.live.experiments if call.pointer.live else ()


def checked(n: int) -> None:
    """Raise `ValueError` unless `n` is 1 or more."""
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")


def _assignments(
    published: Sequence[Experiment], users: Sequence[str], forced: str | None = None
) -> Mapping[str, Assignment]:
    """Return the assignments of those users who are in an experiment."""
    if not published:
        return _NO_ASSIGNMENTS
    at, found = datetime.now(UTC), {}
    for user in users:
        if assignment := assigned(published, user, at, forced):
            found[user] = assignment
    return found


def _checked(cursor: str, filters: Filters | None) -> Cursor:
    after = Cursor.parse(cursor, fingerprint(filters))
    kind, _, name = after.level.partition(":")
    try:
        encode_id(name) if kind == "list" or name == FAVORITES else encode_segment(name)
    except InvalidKey as error:
        raise InvalidCursor(f"not a cursor: {cursor[:80]!r}; pass on what a result gave") from error
    return after


def _next_of(
    state: ClientState, call: CallState, user: str, after: Cursor
) -> Exchange[MaskedList | None]:
    """Find the list of a cursor in the cursor's generation; `None` where it is gone."""
    live = call.pointer.live
    if live is None or live.generation != after.generation:
        live = Manifest(after.generation, as_of="", default_model="")
    masks = yield from read_masks(state, call, user)
    try:
        found = yield from at_level(state, call, live, user, after.level, masks)
    except InvalidKey:  # an invalid id has no list
        return None
    if not found and state.last_good and after.level == "popular:all":
        kept, ranked = state.last_good
        if kept.generation == after.generation:
            return MaskedList(after.level, ranked, kept, masks)
    return found


def _or_last_good(
    state: ClientState, call: CallState, user: str | None, found: MaskedList | None
) -> MaskedList | None:
    """Fall back to the last good popular list where none was found or Redis failed."""
    own = found and not found.level.startswith("popular:")
    if own or (found and not call.failed) or not state.last_good:
        return found
    kept, ranked = state.last_good
    if found and found.level != "popular:all":
        return found
    masks = found.masks if found else masks_of(state, call, user)
    return MaskedList("last-good:all", ranked, kept, masks) if masks.leave(ranked) else None


def _unpaged(
    state: ClientState,
    call: CallState,
    found: MaskedList | None,
    n: int,
    user: str | None,
    metadata: bool,
) -> Exchange[Result]:
    found = _or_last_good(state, call, user, found)
    result = yield from page_of(state, call, found, n, None, 0, metadata)
    return replace(result, cursor=None)
