"""Deliver messages: one receiver at a time, tried again with backoff, recorded before and after.

An attempt is recorded as "sending" before it begins and as "sent" after it. A watch that dies in
between sends that message again, with a note that says so: an alarm that comes twice is better than
one that never does. Messages of an incident reach a receiver in order.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from tasks.watch.message import KINDS, Message
from tasks.watch.state import Delivery, State, Tracked

#: Sends a message to one receiver; raises an exception, or returns, once it is accepted.
Send = Callable[[Message], None]
#: Wait after the first failed attempt, doubled with each further one up to the last.
_FIRST_WAIT_S, _LAST_WAIT_S = 240.0, 3600.0


class SendFailed(Exception):  # noqa: N818 - an outcome of a receiver
    """A receiver did not accept a message; the text names no secret."""


def addressed(
    tracked: Tracked, kind: str, message: Message, to: Iterable[str], at: float
) -> Tracked:
    """Return an incident with one more message, due to each receiver."""
    deliveries = (*tracked.deliveries, *(Delivery(kind, each, at) for each in to))
    messages = {**tracked.messages, kind: message}
    return replace(tracked, messages=messages, deliveries=deliveries).summarised()


def deliver(
    state: State,
    senders: Mapping[str, Send],
    now: float,
    give_up_s: float,
    save: Callable[[State], None],
    warn: Callable[[str], None],
) -> State:
    """Send all messages that are due, calling `save` before and after each attempt."""
    for number in range(len(state.tracked)):
        for at in _in_order(state.tracked[number]):
            tracked = state.tracked[number]
            each = tracked.deliveries[at]
            if each.over or each.next_at > now or _waits(tracked, each):
                continue
            again = each.state == "sending"  # the watch died in between
            message = tracked.messages[each.kind]
            state = _with(state, number, tracked.with_delivery(at, state="sending"))
            save(state)
            outcome = _attempt(senders, each, message.again() if again else message, warn)
            if outcome != "sent" and now - each.due_at >= give_up_s:
                outcome = "given up"
                warn(f"{tracked.incident.id}, {each.kind}, to {each.to}: given up")
            wait_s = min(_FIRST_WAIT_S * 2**each.n_attempts, _LAST_WAIT_S)
            fields = {"state": outcome, "n_attempts": each.n_attempts + 1, "next_at": now + wait_s}
            state = _with(state, number, state.tracked[number].with_delivery(at, **fields))
            save(state)
    return state


def _attempt(
    senders: Mapping[str, Send], each: Delivery, message: Message, warn: Callable[[str], None]
) -> str:
    """Return the state of a delivery after an attempt."""
    if each.to not in senders:
        warn(f"{each.to} is no longer in the settings: its {each.kind} message is given up")
        return "given up"
    try:
        senders[each.to](message)
    except SendFailed as failed:
        warn(f"message to {each.to} not sent, tried again later: {failed}")
        return "due"
    return "sent"


def _in_order(tracked: Tracked) -> list[int]:
    places = range(len(tracked.deliveries))
    return sorted(places, key=lambda at: KINDS.index(tracked.deliveries[at].kind))


def _waits(tracked: Tracked, each: Delivery) -> bool:
    """Tell whether an earlier message of the incident is not yet with this receiver."""
    before = KINDS[: KINDS.index(each.kind)]
    earlier = (d for d in tracked.deliveries if d.to == each.to and d.kind in before)
    return any(not other.over for other in earlier)


def _with(state: State, number: int, tracked: Tracked) -> State:
    changed = list(state.tracked)
    changed[number] = tracked
    return replace(state, tracked=tuple(changed))


def try_all(senders: Mapping[str, Send], message: Message) -> dict[str, str | None]:
    """Send a message to each receiver once; return the reason of each that failed."""
    outcomes: dict[str, str | None] = {}
    for name, send in senders.items():
        try:
            send(message)
            outcomes[name] = None
        except SendFailed as failed:
            outcomes[name] = str(failed)
    return outcomes
