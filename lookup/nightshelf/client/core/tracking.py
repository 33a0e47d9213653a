"""What apps tell: recorded, counted, masked and made known in one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nightshelf.client.core import recent_events
from nightshelf.client.core.backlog import HARD_FACTOR
from nightshelf.client.core.failures import cause_of
from nightshelf.client.core.pointer import begin
from nightshelf.client.core.protocol import Batch, Talk, Unanswered
from nightshelf.client.core.read import ask
from nightshelf.client.core.state import Call, Mind
from nightshelf.client.event import Event
from nightshelf.client.results import Result
from nightshelf.contract.effects import UNKNOWN, Effect, effect_of
from nightshelf.contract.feature_rules import Counting
from nightshelf.contract.keys import DEFAULT_TTL_S, FALLBACK_TTL_FACTOR, MAX_ACTED, encode_id

#: How old the night's definition of event types may be: it changes with settings, by night.
_DEFINITION_S = 60.0


@dataclass(frozen=True)
class TrackingReceipt:
    """Whether Redis has taken what it was told: `cause` says why not, all or part of it.

    What masks an item does so in this process either way; where the cause is ``full`` (too many
    events wait to be collected), all other effects have been felt too. `unknown_types` are event
    types that the live night makes nothing of: recorded, and without effect on lists until its
    settings name them.
    """

    event_ids: tuple[str, ...]
    recorded: bool
    cause: str | None = None
    unknown_types: tuple[str, ...] = ()


def acted(mind: Mind, event: Event) -> Talk[TrackingReceipt]:
    """Record an action, with all its effects; one of an unknown type asks for a refresh alone."""
    event.check()
    counting = yield from definition(mind)
    effect = effect_of(event.event_type, event.item_id, counting, mind.settings.actions)
    told = yield from record(mind, [event], effect or UNKNOWN)
    if effect:
        return told
    mind.unknown_action()
    return replace(told, unknown_types=(event.event_type,))


def definition(mind: Mind) -> Talk[Counting | None]:
    """Return how the live night counts event types; `None` where none says so.

    Taken from the pointer as it was last read, so that an action stays one round trip where the
    process reads lists too; one that only tracks reads the pointer now and then.
    """
    if mind.clock() - mind.seen.at > _DEFINITION_S:
        yield from begin(mind)
    return mind.seen.live.counting if mind.seen.live else None


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


def record(mind: Mind, events: Sequence[Event], effect: Effect = Effect()) -> Talk[TrackingReceipt]:  # noqa: B008 - immutable
    """Record events in one round trip; an `effect` is that of the only one.

    Those that are told again take another, which takes back that they were counted twice.
    """
    if not events:
        return TrackingReceipt((), recorded=True)
    for event in events:
        event.check()
    call = Call()
    if mind.backlog.is_full:
        yield from n_waiting(mind, call)
    full = mind.backlog.is_full
    batch: Batch = [] if full else _entries(mind, events)
    keys, settings = mind.keys, mind.settings
    counted = [event for event in events if recent_events.counts(event)]
    kept_at = {}
    for event in counted:
        kept_at[len(batch)] = event
        batch += recent_events.of_user(event, keys, settings) + recent_events.of_item(
            event, keys, settings
        )
    batch += _effects(mind, events, counted, effect)
    replies = (yield from ask(mind, call, batch)) if batch else []
    _drop(mind, events[0].user_id if effect.invalidates or effect.masks else None, counted)
    ids = tuple(event.event_id for event in events)
    if isinstance(replies, Unanswered):
        return TrackingReceipt(ids, recorded=False, cause=replies.cause)
    twice = [event for at, event in kept_at.items() if replies[at] == 0]
    if twice:
        back = [
            command for each in twice for command in recent_events.of_item(each, keys, settings, -1)
        ]
        yield from ask(mind, Call(), back)
    if full:
        mind.count("full", len(events))
    else:
        mind.backlog.note(replies.pop(len(events)))
    causes = [cause_of(reply) for reply in replies if isinstance(reply, Exception)]
    for cause in causes:
        mind.count(cause)
    if full:
        causes.insert(0, "full")
    return TrackingReceipt(ids, recorded=not causes, cause=causes[0] if causes else None)


def n_waiting(mind: Mind, call: Call) -> Talk[int | None]:
    """Return how many events wait to be collected, as Redis said within the last second."""
    backlog = mind.backlog
    if backlog.is_old:
        replies = yield from ask(mind, call, [("XLEN", mind.keys.events)])
        if not isinstance(replies, Unanswered):
            backlog.note(replies[0])
    return backlog.length


def _entries(mind: Mind, events: Sequence[Event]) -> Batch:
    """Return a command for each event, and one for how many wait then.

    Who knows that goes on writing only below `max_events`, so what is recorded is not dropped.
    Whoever may not ask (a login without XLEN) is held to a bound at which Redis drops the oldest.
    """
    key, hard = mind.keys.events, HARD_FACTOR * mind.settings.max_events
    batch: Batch = [("XADD", key, "MAXLEN", "~", hard, "*", *event.fields()) for event in events]
    return [*batch, ("XLEN", key)]


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
