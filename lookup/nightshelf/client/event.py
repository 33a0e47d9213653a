"""What apps tell of: an event, and the fields that it has in the stream."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from nightshelf.contract.ids import checked_text
from nightshelf.contract.keys import encode_id


@dataclass(frozen=True)
class Event:
    """Something that a user did or was shown; `at` in UTC, `position` from 1.

    `value` is what it is worth (of a purchase: its revenue, of a rating: the stars); `latency_ms`
    is how long the page waited for the list, as it measured it.

    `event_id` makes it one event however often it is told: who may send it twice sets it.
    """

    user_id: str
    event_type: str
    item_id: str | None = None
    value: float | None = None
    generation: int | None = None
    model: str | None = None
    variant: str | None = None
    position: int | None = None
    latency_ms: float | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    event_id: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        """Take ids as apps have them (`nightshelf.contract.ids`); `InvalidKey` for what is none."""
        object.__setattr__(self, "user_id", checked_text(self.user_id))
        if self.item_id is not None:
            object.__setattr__(self, "item_id", checked_text(self.item_id))

    def check(self) -> None:
        """Raise `InvalidKey` for what must be an id and is none: Redis is told bytes."""
        named = (self.event_id, self.user_id, self.event_type, self.item_id)
        for text in (*named, self.model, self.variant):
            if text is not None:
                encode_id(text)

    def fields(self) -> list[str]:
        """Return the fields of a stream entry, those that say something (`nightshelf.contract`)."""
        told = {
            "event_id": self.event_id,
            "user_id": self.user_id,
            "event_type": self.event_type,
            "ts": self.at.astimezone(UTC).isoformat(),
            "item_id": self.item_id,
            "value": None if self.value is None else repr(float(self.value)),
            "generation": self.generation,
            "model": self.model,
            "variant": self.variant,
            "position": self.position,
            "latency_ms": None if self.latency_ms is None else repr(float(self.latency_ms)),
        }
        return [str(each) for pair in told.items() if pair[1] is not None for each in pair]
