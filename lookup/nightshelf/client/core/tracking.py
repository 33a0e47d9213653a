"""Tracking: record events, and apply their effects, in one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nightshelf.client.core import recent_events
from nightshelf.client.core.backlog import HARD_FACTOR
from nightshelf.client.core.failures import cause_of
from nightshelf.client.core.pointer import begin
from nightshelf.client.core.protocol import Batch, Exchange, NoReply
from nightshelf.client.core.read import ask
from nightshelf.client.core.state import CallState, ClientState
from nightshelf.client.event import Event
from nightshelf.client.results import Result
from nightshelf.contract.effects import UNKNOWN, Effect, effect_of
from nightshelf.contract.feature_rules import Counting
from nightshelf.contract.keys import DEFAULT_TTL_S, FALLBACK_TTL_FACTOR, MAX_MASKED, encode_id

#: Maximum age of the definition of event types, which changes with a generation.
_DEFINITION_S = 60.0


@dataclass(frozen=True)
class TrackingReceipt:
    """Outcome of tracking: `recorded`, or the `cause` for which not all events were.

    Items are masked in this process either way; with the cause ``full`` (too many events wait to
    be collected) all other effects were applied too. `unknown_types` are event types that the live
    generation does not define: recorded, without effect on lists.
    """

    event_ids: tuple[str, ...]
    recorded: bool
    cause: str | None = None
    unknown_types: tuple[str, ...] = ()


def acted(state: ClientState, event: Event) -> Exchange[TrackingReceipt]:
    """Record an action with its effects; one of an unknown type only queues a refresh."""
    event.check()
    counting = yield from live_counting(state)
    effect = effect_of(event.event_type, event.item_id, counting, state.settings.actions)
    receipt = yield from record(state, [event], effect or UNKNOWN)
    if effect:
        return receipt
    state.unknown_action()
    return replace(receipt, unknown_types=(event.event_type,))


def live_counting(state: ClientState) -> Exchange[Counting | None]:
    """Return how the live generation counts event types; `None` where it does not say.

    Taken from the pointer snapshot, so that an action stays one round trip in a process that reads
    lists too; one that only tracks reads the pointer once a minute.
    """
    if state.clock() - state.pointer.at > _DEFINITION_S:
        yield from begin(state)
    return state.pointer.live.counting if state.pointer.live else None


def shown_events(user: str, result: Result, first: int, variant: str | None) -> list[Event]:
    """Return an impression for each item of a result, the first at position `first`.

    They name the result's experiment, unless a tester chose the variant; `variant` is that of an
    experiment of the app's own, which is then named alone.
    """
    experiment, phase = result.experiment, result.phase
    if variant is not None or result.forced:
        experiment = phase = None
    else:
        variant = result.variant
    return [
        Event(
            user,
            "impression",
            item.item_id,
            generation=result.generation,
            model=result.model,
            experiment=experiment,
            variant=variant,
            phase=phase,
            position=position,
        )
        for position, item in enumerate(result.items, start=first)
    ]


def record(
    state: ClientState,
    events: Sequence[Event],
    effect: Effect = Effect(),  # noqa: B008 - immutable
) -> Exchange[TrackingReceipt]:
    """Record events in one round trip; an `effect` needs a single event.

    Repeated events take a second round trip, which undoes their double counts.
    """
    if not events:
        return TrackingReceipt((), recorded=True)
    for event in events:
        event.check()
    call = CallState()
    if state.backlog.is_full:
        yield from n_waiting(state, call)
    full = state.backlog.is_full
    batch: Batch = [] if full else _entries(state, events)
    keys, settings = state.keys, state.settings
    counted = [event for event in events if recent_events.counts(event)]
    stored_at = {}
    for event in counted:
        stored_at[len(batch)] = event
        batch += recent_events.of_user(event, keys, settings) + recent_events.of_item(
            event, keys, settings
        )
    batch += _effects(state, events, counted, effect)
    replies = (yield from ask(state, call, batch)) if batch else []
    _drop(state, events[0].user_id if effect.invalidates or effect.masks else None, counted)
    ids = tuple(event.event_id for event in events)
    if isinstance(replies, NoReply):
        return TrackingReceipt(ids, recorded=False, cause=replies.cause)
    repeated = [event for at, event in stored_at.items() if replies[at] == 0]
    if repeated:
        undo = [
            command
            for each in repeated
            for command in recent_events.of_item(each, keys, settings, -1)
        ]
        yield from ask(state, CallState(), undo)
    if full:
        state.count("full", len(events))
    else:
        state.backlog.note(replies.pop(len(events)))
    causes = [cause_of(reply) for reply in replies if isinstance(reply, Exception)]
    for cause in causes:
        state.count(cause)
    if full:
        causes.insert(0, "full")
    return TrackingReceipt(ids, recorded=not causes, cause=causes[0] if causes else None)


def n_waiting(state: ClientState, call: CallState) -> Exchange[int | None]:
    """Return the number of events that wait to be collected, at most a second old."""
    backlog = state.backlog
    if backlog.is_old:
        replies = yield from ask(state, call, [("XLEN", state.keys.events)])
        if not isinstance(replies, NoReply):
            backlog.note(replies[0])
    return backlog.length


def _entries(state: ClientState, events: Sequence[Event]) -> Batch:
    """Return a command for each event, and one for the length of the stream then.

    A writer that knows the length stops at `max_events`, so recorded events are not dropped. For a
    login without XLEN there is a hard bound at which Redis drops the oldest.
    """
    key, hard = state.keys.events, HARD_FACTOR * state.settings.max_events
    batch: Batch = [("XADD", key, "MAXLEN", "~", hard, "*", *event.fields()) for event in events]
    return [*batch, ("XLEN", key)]


def _effects(
    state: ClientState, events: Sequence[Event], counted: Sequence[Event], effect: Effect
) -> Batch:
    """Return the commands of an effect, and mask the item in this process at once."""
    keys, event = state.keys, events[0]
    user, at = event.user_id, event.at.timestamp()
    batch: Batch = []
    live = state.pointer.live
    ttl_s = FALLBACK_TTL_FACTOR * (live.ttl_s if live else DEFAULT_TTL_S)
    if effect.masks and event.item_id is not None:
        state.remember(user, event.item_id)
        key = keys.masked(user)
        batch += [
            ("ZADD", key, at, event.item_id),
            ("ZREMRANGEBYRANK", key, 0, -MAX_MASKED - 1),
            ("EXPIRE", key, ttl_s),
        ]
    if effect.refreshes:  # a repeated or late event must not hide a newer one
        batch += [
            ("ZADD", keys.refresh_queue, "GT", at, user),
            ("EXPIRE", keys.refresh_queue, ttl_s),
        ]
    if effect.invalidates or effect.masks:
        return [*batch, ("PUBLISH", keys.invalidate, f"user:{encode_id(user)}")]
    users = dict.fromkeys(each.user_id for each in counted)
    return batch + [("PUBLISH", keys.invalidate, f"row:{encode_id(user)}") for user in users]


def _drop(state: ClientState, user: str | None, counted: Sequence[Event]) -> None:
    """Drop changed values from the cache, also those being read.

    Other processes are notified of users only: an item's counts change with every view.
    """
    keys = state.keys
    changed = {} if user is None else dict.fromkeys(state.keys_of(user))
    for each in counted:
        changed |= {keys.recent(each.user_id): None, keys.recent_item(str(each.item_id)): None}
    state.drop(changed)
