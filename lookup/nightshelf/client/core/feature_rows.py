"""Feature rows of users and items, with recent events merged in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nightshelf.client.core.fallback import named
from nightshelf.client.core.merge_recent import Row, recounted, to_item, to_user
from nightshelf.client.core.pointer import begin
from nightshelf.client.core.protocol import Exchange
from nightshelf.client.core.read import ITEM, USER, Kind, fetch
from nightshelf.client.core.recent_events import (
    ItemCount,
    UserEvent,
    decode_item_counts,
    decode_user_events,
    item_command,
    user_command,
)
from nightshelf.client.core.state import CallState, ClientState
from nightshelf.client.core.stored_list import UNREADABLE
from nightshelf.contract.assignment import in_canary
from nightshelf.contract.ids import id_text

Rows = dict[str, Row]
#: Keys of the row update, the nightly row and the recent events of one id.
RowKeys = tuple[str, str, str]

RECENT_USER = Kind(
    decode_user_events, lambda settings: settings.list_ttl_s, personal=True, command=user_command
)
RECENT_ITEM = Kind(decode_item_counts, lambda settings: settings.list_ttl_s, command=item_command)


def of_items(state: ClientState, ids: Iterable[str]) -> Exchange[Rows]:
    """Return the feature rows of items by id as given, without absent ones.

    Counters of the refresh, while there are any, replace the night's; recent counts are merged in.
    """
    pairs = [(each, id_text(each)) for each in ids]
    call = yield from begin(state)
    live, keys = call.pointer.live, state.keys
    if live is None:
        return {}
    now = datetime.now(UTC)
    places = named(
        (text for _, text in pairs),
        lambda item: (
            keys.item_update(item),
            keys.item(live.generation, item),
            keys.recent_item(item),
        ),
    )

    def made(update: Row | None, night: Row | None, counts: Sequence[ItemCount]) -> Row | None:
        row = recounted(night, update)
        return row and to_item(row, counts, live.counting, live.as_of, now)

    rows = yield from _made(state, call, places, ITEM, RECENT_ITEM, made)
    return {each: rows[text] for each, text in pairs if text in rows}


def of_users(state: ClientState, users: Iterable[str]) -> Exchange[Rows]:
    """Return the feature rows of users by id as given, without unknown users.

    The refresh's row, while there is one, replaces the night's; recent events are merged in.
    """
    pairs = [(each, id_text(each)) for each in users]
    call = yield from begin(state)
    live, keys = call.pointer.live, state.keys
    if live is None:
        return {}
    out = live.canary

    def place(user: str) -> RowKeys:
        drawn = out and in_canary(user, out.generation, out.share)
        at = out.generation if out and drawn else live.generation
        return keys.row_update(user), keys.user(at, user), keys.recent(user)

    def made(update: Row | None, night: Row | None, events: Sequence[UserEvent]) -> Row | None:
        return to_user(night if update is None else update, events, live.counting)

    places = named((text for _, text in pairs), place)
    rows = yield from _made(state, call, places, USER, RECENT_USER, made)
    return {each: rows[text] for each, text in pairs if text in rows}


def _made(
    state: ClientState,
    call: CallState,
    places: Mapping[str, RowKeys],
    kind: Kind,
    recent: Kind,
    made: Callable[[Row | None, Row | None, Sequence[Any]], Row | None],
) -> Exchange[Rows]:
    """Read the keys of all ids in one round trip, and return the rows made of them."""
    wanted = {key: kind for update, night, _ in places.values() for key in (update, night)}
    if call.pointer.live and call.pointer.live.counting:
        wanted |= {key: recent for _, _, key in places.values()}
    values = yield from fetch(state, call, wanted)
    rows: Rows = {}
    for raw, (update, night, since) in places.items():
        stored = values.get(update), values.get(night)
        try:
            row = made(*stored, values.get(since, ()))
        except UNREADABLE:
            state.count("corrupt")
            row = made(*stored, ())
        if row is not None:
            rows[raw] = row
    return rows
