"""History of a user: the latest events and masks, with titles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from nightshelf.client.core.recent_events import UserEvent
from nightshelf.service.console.lists import Named

#: Latest events that a page shows.
_MAX_HISTORY = 50


@dataclass(frozen=True)
class Happening:
    """An event of the user; `what` is its type, or empty for an item masked since the night.

    `masks`: the item is left out of the user's lists for it.
    """

    at: datetime
    what: str
    item_id: str
    title: str | None
    value: float | None
    masks: bool


def history_of(
    events: Sequence[UserEvent], masked: Mapping[str, float], names: Mapping[str, Named]
) -> tuple[Happening, ...]:
    """Return the latest events and masks, newest first, ties by item."""
    titles = {item: each.title for item, each in names.items()}
    found = [
        Happening(
            _time(each.at_us / 1e6),
            each.event_type,
            each.item_id,
            titles.get(each.item_id),
            each.value,
            each.item_id in masked,
        )
        for each in events
    ]
    shown = {each.item_id for each in found}
    found += [
        Happening(_time(at), "", item, titles.get(item), None, masks=True)
        for item, at in masked.items()
        if item not in shown
    ]
    found.sort(key=lambda each: (-each.at.timestamp(), each.item_id, each.what))
    return tuple(found[:_MAX_HISTORY])


def _time(at_s: float) -> datetime:
    return datetime.fromtimestamp(min(max(at_s, 0), 253_370_764_800), UTC)
