"""Tracked events, and their fields in the stream."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from nightshelf.contract.ids import checked_text
from nightshelf.contract.keys import encode_id


@dataclass(frozen=True)
class Event:
    """An action or impression of a user; `at` in UTC, `position` from 1.

    `value` is the revenue of a purchase or the stars of a rating; `latency_ms` the page's wait for
    the list, as it measured it. Events with one `event_id` count once: set it where an event may be
    sent again.
    """

    user_id: str
    event_type: str
    item_id: str | None = None
    value: float | None = None
    generation: int | None = None
    model: str | None = None
    experiment: str | None = None
    variant: str | None = None
    phase: int | None = None
    position: int | None = None
    latency_ms: float | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    event_id: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        """Turn ids into texts (`nightshelf.contract.ids`); `InvalidKey` for an invalid one."""
        object.__setattr__(self, "user_id", checked_text(self.user_id))
        if self.item_id is not None:
            object.__setattr__(self, "item_id", checked_text(self.item_id))

    def check(self) -> None:
        """Raise `InvalidKey` where a field that must be an id is not."""
        named = (self.event_id, self.user_id, self.event_type, self.item_id)
        for text in (*named, self.model, self.experiment, self.variant):
            if text is not None:
                encode_id(text)

    def fields(self) -> list[str]:
        """Return the fields of a stream entry that are not `None` (`nightshelf.contract`)."""
        fields = {
            "event_id": self.event_id,
            "user_id": self.user_id,
            "event_type": self.event_type,
            "ts": self.at.astimezone(UTC).isoformat(),
            "item_id": self.item_id,
            "value": None if self.value is None else repr(float(self.value)),
            "generation": self.generation,
            "model": self.model,
            "experiment": self.experiment,
            "variant": self.variant,
            "phase": self.phase,
            "position": self.position,
            "latency_ms": None if self.latency_ms is None else repr(float(self.latency_ms)),
        }
        return [str(each) for pair in fields.items() if pair[1] is not None for each in pair]
