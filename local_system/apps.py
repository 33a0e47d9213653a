"""Ways of an app to lists and tracking: the client, and the HTTP service."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

import httpx

from nightshelf import Event, Item, Result, Shelf
from nightshelf.contract.experiment import Assignment

_WAIT_S = 10.0
#: Fields that tracking over HTTP takes besides user, item and value.
_DETAILS = ("generation", "model", "experiment", "variant", "phase", "position", "event_id")


class App(Protocol):
    """Reads and tracking, as a player of visits needs them."""

    def page(self, user: str, n: int) -> Result:
        """Return the first `n` items of a user's list."""

    def record(self, events: Sequence[Event]) -> str | None:
        """Record impressions, or clicks; return the cause where not all were recorded."""

    def act(self, event: Event) -> str | None:
        """Record an action with its effects; return the cause where it failed."""


class ByClient:
    """An app that reads Redis with the client; events keep the times that they have."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def page(self, user: str, n: int) -> Result:
        """Return the first `n` items of a user's list."""
        return self._shelf.get(user, n)

    def record(self, events: Sequence[Event]) -> str | None:
        """Record events; return the cause where not all were recorded."""
        return self._shelf.record(events).cause

    def act(self, event: Event) -> str | None:
        """Record an action with its effects; return the cause where it failed."""
        details = asdict(event)
        what = [details.pop(name) for name in ("user_id", "event_type", "item_id", "value")]
        return self._shelf.acted(*what, **details).cause


class ByService:
    """An app that asks the HTTP service, which gives events the time at which they come."""

    def __init__(self, address: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=address, headers=headers, timeout=_WAIT_S)

    def page(self, user: str, n: int) -> Result:
        """Return the first `n` items of a user's list; none where the service fails."""
        try:
            answer = self._http.get(f"/recommendations/{user}", params={"n": n})
            answer.raise_for_status()
        except httpx.HTTPError:
            return Result((), "none")
        return _result(answer.json())

    def record(self, events: Sequence[Event]) -> str | None:
        """Record impressions, or clicks; return the cause where they were not recorded."""
        return self._track(events[0].event_type, [_body(each) for each in events])

    def act(self, event: Event) -> str | None:
        """Record an action with its effects; return the cause where it failed."""
        own = {"action": event.event_type} | ({"value": event.value} if event.value else {})
        return self._track("action", [_body(event) | own])

    def _track(self, kind: str, bodies: list[dict[str, Any]]) -> str | None:
        try:
            answer = self._http.post(f"/track/{kind}", json=bodies)
        except httpx.HTTPError as error:
            return type(error).__name__
        return None if answer.is_success else f"{answer.status_code} {answer.text[:200]}"


def _body(event: Event) -> dict[str, Any]:
    fields = {"user_id": event.user_id, "item_id": event.item_id}
    fields |= {name: getattr(event, name) for name in _DETAILS}
    return {name: value for name, value in fields.items() if value is not None}


def _result(page: dict[str, Any]) -> Result:
    """Return an answer of the service as the client gives it."""
    assignment = None
    if page.get("experiment"):
        own = [page[name] for name in ("experiment", "phase", "variant", "model_used")]
        assignment = Assignment(*own)
    items = [
        Item(each["item_id"], each["score"], each["reason"]) for each in page["recommendations"]
    ]
    return Result(
        tuple(items),
        page["source"],
        page["generation"],
        page["model_used"],
        cached=page["cached"],
        assignment=assignment,
    )
