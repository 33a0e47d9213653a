"""Answers to what is asked: `get`, `get_many`, `similar`, `popular`, in one call each."""

from collections.abc import Sequence
from dataclasses import replace

from nightshelf.client.core.cursor import Cursor
from nightshelf.client.core.fallback import (
    alike,
    in_segment,
    masks_of,
    on_rung,
    personal,
    read_masks,
)
from nightshelf.client.core.masking import FAVORITES, Found
from nightshelf.client.core.pages import finish, page_of, plain
from nightshelf.client.core.pointer import begin
from nightshelf.client.core.protocol import Talk
from nightshelf.client.core.state import Call, Mind
from nightshelf.client.filters import Filters, fingerprint
from nightshelf.client.results import Result
from nightshelf.contract.ids import id_text
from nightshelf.contract.keys import encode_id, encode_segment
from nightshelf.contract.values import Manifest
from nightshelf.errors import InvalidCursor, InvalidKey


def get(
    mind: Mind,
    user: str,
    n: int,
    model: str | None,
    filters: Filters | None,
    cursor: str | None,
    metadata: bool,
) -> Talk[Result]:
    """Answer for one user, from the beginning or from a cursor on."""
    user = id_text(user)
    filters = filters or None  # conditions that are none
    after = None if cursor is None else _checked(cursor, filters)
    checked(n)
    call = yield from begin(mind)
    live = call.seen.live
    if after:
        found = yield from _further(mind, call, user, after)
        if not found and call.failed:  # it may stand yet: ask again with the same
            return finish(mind, call, Result((), "none", cursor=cursor))
    else:
        found = None
        if live:
            by_user = yield from personal(mind, call, live, [user], model, lambda _, each: each)
            found = by_user.get(user)
        found = _or_last_good(mind, call, user, found)
    start = after.at if after else 0
    if filters or metadata:
        return (yield from page_of(mind, call, found, n, filters, start, metadata))
    return plain(mind, call, found, n, start)


def get_many(mind: Mind, users: Sequence[str], n: int) -> Talk[list[Result]]:
    """Answer for many users, their lists in one round trip."""
    checked(n)
    users = [id_text(user) for user in users]
    if not users:
        return []
    call = yield from begin(mind)

    def made(user: str, found: Found | None) -> Result:
        return plain(mind, call, _or_last_good(mind, call, user, found), n)

    results: dict[str, Result] = {}
    if live := call.seen.live:
        results = yield from personal(mind, call, live, users, None, made)
    for user in users:
        if user not in results:
            results[user] = made(user, None)
    return [results[user] for user in users]


def similar(mind: Mind, item: str, n: int, user: str | None, metadata: bool) -> Talk[Result]:
    """Answer with items like one item."""
    checked(n)
    item, user = id_text(item), None if user is None else id_text(user)
    call = yield from begin(mind)
    found = None
    if live := call.seen.live:
        masks = yield from read_masks(mind, call, user)
        found = yield from alike(mind, call, live, item, masks)
    return (yield from _unpaged(mind, call, found, n, user, metadata))


def popular(mind: Mind, segment: str, n: int, user: str | None, metadata: bool) -> Talk[Result]:
    """Answer with a segment's popular items."""
    checked(n)
    segment, user = id_text(segment), None if user is None else id_text(user)
    call = yield from begin(mind)
    found = None
    if live := call.seen.live:
        masks = yield from read_masks(mind, call, user)
        found = yield from in_segment(mind, call, live, segment, masks)
    return (yield from _unpaged(mind, call, found, n, user, metadata))


def checked(n: int) -> None:
    """Raise `ValueError` unless `n` is 1 or more."""
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")


def _checked(cursor: str, filters: Filters | None) -> Cursor:
    after = Cursor.parse(cursor, fingerprint(filters))
    kind, _, name = after.rung.partition(":")
    try:
        encode_id(name) if kind == "list" or name == FAVORITES else encode_segment(name)
    except InvalidKey as error:
        raise InvalidCursor(f"not a cursor: {cursor[:80]!r}; pass on what a result gave") from error
    return after


def _further(mind: Mind, call: Call, user: str, after: Cursor) -> Talk[Found | None]:
    """Find the list that a cursor goes on in: that of its generation, or none."""
    live = call.seen.live
    if live is None or live.generation != after.generation:
        live = Manifest(after.generation, as_of="", default_model="")
    masks = yield from read_masks(mind, call, user)
    try:
        found = yield from on_rung(mind, call, live, user, after.rung, masks)
    except InvalidKey:  # a user that is no id has no list to go on in
        return None
    if not found and mind.last_good and after.rung == "popular:all":
        kept, ranked = mind.last_good
        if kept.generation == after.generation:
            return Found(after.rung, ranked, kept, masks)
    return found


def _or_last_good(mind: Mind, call: Call, user: str | None, found: Found | None) -> Found | None:
    """Fall back to the copy in the process where nothing was found, or Redis failed on the way."""
    own = found and not found.rung.startswith("popular:")
    if own or (found and not call.failed) or not mind.last_good:
        return found
    kept, ranked = mind.last_good
    if found and found.rung != "popular:all":
        return found
    masks = found.masks if found else masks_of(mind, call, user)
    return Found("last-good:all", ranked, kept, masks) if masks.leave(ranked) else None


def _unpaged(
    mind: Mind, call: Call, found: Found | None, n: int, user: str | None, metadata: bool
) -> Talk[Result]:
    found = _or_last_good(mind, call, user, found)
    result = yield from page_of(mind, call, found, n, None, 0, metadata)
    return replace(result, cursor=None)
