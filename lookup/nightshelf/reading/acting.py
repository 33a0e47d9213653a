"""What apps tell: recorded, counted, masked and made known in one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass

from nightshelf.answers import Result
from nightshelf.contract import DEFAULT_TTL_S, FALLBACK_TTL_FACTOR, MAX_ACTED, encode_id
from nightshelf.reading import lately
from nightshelf.reading.causes import cause_of
from nightshelf.reading.event import Event
from nightshelf.reading.fetch import ask
from nightshelf.reading.mind import Call, Mind
from nightshelf.reading.talk import Batch, Talk, Unanswered
from nightshelf.settings import Effect


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
    """Record events in one round trip; an `effect` is that of the only one.

    Those that are told again take another, which takes back that they were counted twice.
    """
    if not events:
        return Told((), recorded=True)
    keys, settings = mind.keys, mind.settings
    for event in events:
        for text in event.texts():
            encode_id(text)
    batch: Batch = [
        ("XADD", keys.events, "MAXLEN", "~", settings.max_events, "*", *event.fields())
        for event in events
    ]
    counted = [event for event in events if lately.counts(event)]
    kept_at = {}
    for event in counted:
        kept_at[len(batch)] = event
        batch += lately.of_user(event, keys, settings) + lately.of_item(event, keys, settings)
    batch += _effects(mind, events, counted, effect)
    replies = yield from ask(mind, Call(), batch)
    _drop(mind, events[0].user_id if effect.invalidates or effect.masks else None, counted)
    ids = tuple(event.event_id for event in events)
    if isinstance(replies, Unanswered):
        return Told(ids, recorded=False, cause=replies.cause)
    twice = [event for at, event in kept_at.items() if replies[at] == 0]
    if twice:
        back = [command for each in twice for command in lately.of_item(each, keys, settings, -1)]
        yield from ask(mind, Call(), back)
    causes = [cause_of(reply) for reply in replies if isinstance(reply, Exception)]
    for cause in causes:
        mind.count(cause)
    return Told(ids, recorded=not causes, cause=causes[0] if causes else None)


def _effects(
    mind: Mind, events: Sequence[Event], counted: Sequence[Event], effect: Effect
) -> Batch:
    """Return the commands that make what is told felt, and mask an item here at once."""
    keys, event = mind.keys, events[0]
    user, at = event.user_id, event.at.timestamp()
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
    if effect.refreshes:  # what is told again, or late, must not hide what the user did since
        batch += [("ZADD", keys.waiting, "GT", at, user), ("EXPIRE", keys.waiting, ttl_s)]
    if effect.invalidates or effect.masks:
        return [*batch, ("PUBLISH", keys.invalidate, f"user:{encode_id(user)}")]
    users = dict.fromkeys(each.user_id for each in counted)
    return batch + [("PUBLISH", keys.invalidate, f"row:{encode_id(user)}") for user in users]


def _drop(mind: Mind, user: str | None, counted: Sequence[Event]) -> None:
    """Keep nothing here of what was told to have changed, also of what was read meanwhile.

    Other processes hear of users alone: an item's counts would be told to all for every view.
    """
    keys = mind.keys
    changed = {} if user is None else dict.fromkeys(mind.keys_of(user))
    for each in counted:
        changed |= {keys.lately(each.user_id): None, keys.lately_item(str(each.item_id)): None}
    mind.drop(changed)
