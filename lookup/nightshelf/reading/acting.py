"""What apps tell: recorded, masked and made known in one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from nightshelf.answers import Result
from nightshelf.contract import DEFAULT_TTL_S, FALLBACK_TTL_FACTOR, MAX_ACTED, encode_id
from nightshelf.reading.causes import cause_of
from nightshelf.reading.fetch import ask
from nightshelf.reading.mind import Call, Mind
from nightshelf.reading.talk import Batch, Talk, Unanswered
from nightshelf.settings import Effect


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

    def texts(self) -> list[str]:
        """Return what must be an id: Redis is told bytes, and not every text has some."""
        named = (self.event_id, self.user_id, self.event_type, self.item_id)
        return [text for text in (*named, self.model, self.variant) if text is not None]

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


@dataclass(frozen=True)
class Told:
    """Whether Redis has taken what it was told: `cause` says why not, all or part of it.

    What masks an item does so in this process either way.
    """

    event_ids: tuple[str, ...]
    recorded: bool
    cause: str | None = None


def acted(mind: Mind, event: Event) -> Talk[Told]:
    """Record an action, with all its effects; `ValueError` for one that is not in the settings."""
    known = mind.settings.actions
    if event.event_type not in known:
        names = ", ".join(sorted(known))
        raise ValueError(f"no such action: {event.event_type!r}; the settings have {names}")
    return (yield from record(mind, [event], known[event.event_type]))


def shown_events(user: str, result: Result, first: int, variant: str | None) -> list[Event]:
    """Return an impression for each item of an answer, the first at position `first`."""
    return [
        Event(
            user,
            "impression",
            item.item_id,
            generation=result.generation,
            model=result.model,
            variant=variant,
            position=position,
        )
        for position, item in enumerate(result.items, start=first)
    ]


def record(mind: Mind, events: Sequence[Event], effect: Effect = Effect()) -> Talk[Told]:  # noqa: B008 - immutable
    """Record events in one round trip; an `effect` is that of the only one."""
    if not events:
        return Told((), recorded=True)
    keys, bound = mind.keys, mind.settings.max_events
    for event in events:
        for text in event.texts():
            encode_id(text)
    batch: Batch = [
        ("XADD", keys.events, "MAXLEN", "~", bound, "*", *event.fields()) for event in events
    ]
    batch += _effects(mind, events[0], effect)
    replies = yield from ask(mind, Call(), batch)
    if effect.invalidates or effect.masks:  # also what was read meanwhile
        mind.drop(mind.keys_of(events[0].user_id))
    ids = tuple(event.event_id for event in events)
    if isinstance(replies, Unanswered):
        return Told(ids, recorded=False, cause=replies.cause)
    causes = [cause_of(reply) for reply in replies if isinstance(reply, Exception)]
    for cause in causes:
        mind.count(cause)
    return Told(ids, recorded=not causes, cause=causes[0] if causes else None)


def _effects(mind: Mind, event: Event, effect: Effect) -> Batch:
    """Return the commands that make an action felt, and mask its item here at once."""
    keys, user, at = mind.keys, event.user_id, event.at.timestamp()
    batch: Batch = []
    live = mind.seen.live
    ttl_s = FALLBACK_TTL_FACTOR * (live.ttl_s if live else DEFAULT_TTL_S)
    if effect.masks and event.item_id is not None:
        mind.remember(user, event.item_id)
        key = keys.acted(user)
        batch += [
            ("ZADD", key, at, event.item_id),
            ("ZREMRANGEBYRANK", key, 0, -MAX_ACTED - 1),
            ("EXPIRE", key, ttl_s),
        ]
    if effect.refreshes:
        batch += [("ZADD", keys.waiting, at, user), ("EXPIRE", keys.waiting, ttl_s)]
    if effect.invalidates or effect.masks:
        batch.append(("PUBLISH", keys.invalidate, f"user:{encode_id(user)}"))
    return batch
