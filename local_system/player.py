"""Player of visits: reads lists and records events, as the pages of a shop do."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TextIO

import orjson

from data.simulator.choices import Choice, choices_of
from data.simulator.settings import TrafficSettings
from data.simulator.shop_day import ShopDay
from data.simulator.visits import Visit
from local_system.apps import App
from nightshelf import Event, ReadSettings, Result

#: A busy machine is no failing Redis: pages here may wait.
PATIENT = ReadSettings(deadline_s=5.0)
_TRIES, _AGAIN_S = 10, 0.5


class NotRecorded(Exception):  # noqa: N818
    """Events that nobody took."""


@dataclass
class Player:
    """Visitors of one day, served by an app.

    With `prefix` and the visit's number, event ids are the same whenever a visit is played. `sent`
    gets a JSON line for each recorded event.
    """

    app: App
    shop: ShopDay
    traffic: TrafficSettings
    prefix: str
    sent: TextIO | None = None
    counts: Counter[str] = field(default_factory=Counter)

    def play(self, visit: Visit, at: datetime | None = None) -> None:
        """Play a visit, at its own time where no other is given."""
        at = at or visit.at
        page = self.app.page(visit.user_id, self.traffic.page_size)
        self.counts["visits"] += 1
        self.counts["own"] += page.source == "list"
        if page.items:
            events = self._impressions(visit, page, at)
            self._record(partial(self.app.record, events), events)
        shown = [item.item_id for item in page.items]
        for number, choice in enumerate(choices_of(self.shop, visit, shown, self.traffic)):
            event = self._event(visit, page, choice, at, f"{number:02}")
            if choice.event_type == "click":
                self._record(partial(self.app.record, [event]), [event])
            else:
                self._record(partial(self.app.act, event), [event])

    def _record(self, record: Callable[[], str | None], events: Sequence[Event]) -> None:
        """Record events; again, with the same ids, where there was no answer in time."""
        for _ in range(_TRIES):
            cause = record()
            if cause is None:
                break
            time.sleep(_AGAIN_S)
        else:
            raise NotRecorded(f"events were not taken in {_TRIES} tries: {cause}")
        for event in events:
            self.counts[event.event_type] += 1
            if self.sent:
                self.sent.write(orjson.dumps(asdict(event)).decode() + "\n")

    def _impressions(self, visit: Visit, page: Result, at: datetime) -> list[Event]:
        return [
            self._of_page(page, visit, "impression", item.item_id, at, f"i{position:02}", position)
            for position, item in enumerate(page.items, 1)
        ]

    def _event(self, visit: Visit, page: Result, choice: Choice, at: datetime, part: str) -> Event:
        at += timedelta(seconds=choice.after_s)
        kind, item = choice.event_type, choice.item_id
        if choice.position is None:  # found beside the list
            own = f"{self.prefix}-{visit.number:05}-{part}"
            return Event(visit.user_id, kind, item, choice.value, at=at, event_id=own)
        return self._of_page(page, visit, kind, item, at, part, choice.position, choice.value)

    def _of_page(
        self,
        page: Result,
        visit: Visit,
        kind: str,
        item: str,
        at: datetime,
        part: str,
        position: int,
        value: float | None = None,
    ) -> Event:
        """Return an event that follows from a page, with what the page says of itself."""
        return Event(
            visit.user_id,
            kind,
            item,
            value,
            generation=page.generation,
            model=page.model,
            experiment=page.experiment,
            variant=page.variant,
            phase=page.phase,
            position=position,
            at=at,
            event_id=f"{self.prefix}-{visit.number:05}-{part}",
        )
