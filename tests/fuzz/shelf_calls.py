"""Calls of the client, each made of the blocking and the async one, which must answer the same."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hypothesis import given, seed
from hypothesis.strategies import SearchStrategy

from nightshelf import (
    AsyncShelf,
    InvalidCursor,
    InvalidKey,
    ReadSettings,
    Result,
    Shelf,
    TrackingReceipt,
)
from nightshelf.client.transport.connection import connect, connect_async
from tests.fuzz.inputs import drawing
from tests.fuzz.ledger import Ledger
from tests.fuzz.sayings import Said
from tests.lookup.shelves import SHOP

_DEADLINE_S = 10.0


class Clients:
    """A `Shelf` and an `AsyncShelf` of one server; and what came of calling them."""

    def __init__(self, shelf: Shelf, other: AsyncShelf, runner: asyncio.Runner) -> None:
        self._shelf = shelf
        self._async = other
        self._runner = runner
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.findings: dict[str, str] = {}

    def fuzz(self, calls: SearchStrategy[Said], ledger: Ledger, n: int, number: int) -> None:
        """Make `n` calls of each; their arguments follow from `number`."""

        @seed(number)
        @drawing(n)
        @given(calls)
        def called(said: Said) -> None:
            self._call(*said, ledger)

        try:
            called()
        except Exception as found:
            self.findings.setdefault(
                f"{type(found).__name__} {found}", "\n".join(getattr(found, "__notes__", ()))
            )
        for each in (self._shelf, self._async):
            if failed := {why: n for why, n in each.counters().causes.items() if n}:
                self.findings[f"{each!r}"] = f"Redis did not give all: {failed}"

    def _call(self, name: str, said: dict[str, Any], ledger: Ledger) -> None:
        answers = []
        for call in (self._of_threads, self._of_asyncio):
            try:
                answer = call(name, said)
            except (InvalidKey, InvalidCursor, ValueError) as refused:
                assert type(refused) in (InvalidKey, InvalidCursor, ValueError), repr(refused)
                assert str(refused)
                answer = type(refused)
            self.outcomes[name, answer.__name__ if isinstance(answer, type) else "answered"] += 1
            if isinstance(answer, TrackingReceipt):
                assert answer.recorded, answer.cause
                for fields in _told(name, said, answer.event_ids):
                    ledger.took(fields)
            answers.append(_judged(answer, said.get("n", 10)))
        assert answers[0] == answers[1]

    def _of_threads(self, name: str, said: dict[str, Any]) -> Any:
        return getattr(self._shelf, name)(**said)

    def _of_asyncio(self, name: str, said: dict[str, Any]) -> Any:
        return self._runner.run(getattr(self._async, name)(**said))


@contextmanager
def both(url: str, *, keeping: bool) -> Iterator[Clients]:
    """Open both clients, with or without a cache."""
    how = ReadSettings() if keeping else ReadSettings(max_bytes=0)
    with asyncio.Runner() as runner, connect(url, timeout_s=_DEADLINE_S) as client:
        other = AsyncShelf(connect_async(url, timeout_s=_DEADLINE_S), SHOP, settings=how)
        try:
            yield Clients(Shelf(client, SHOP, settings=how), other, runner)
        finally:
            runner.run(other.aclose())


def _judged(answer: Any, n: int) -> Any:
    """Check that it is an answer, and return all that both must agree on."""
    if isinstance(answer, list):
        return [_judged(each, n) for each in answer]
    if isinstance(answer, TrackingReceipt):
        return answer.recorded
    if isinstance(answer, Result):
        assert len(answer.items) <= n
        assert {item.item_id for item in answer.items} <= {"A1", "B1", "C1"}
        return replace(answer, age_s=None, cached=False)
    return answer


def _told(name: str, said: dict[str, Any], event_ids: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the fields of tracked events, as the stream should have them."""
    about = dict(said)
    events: list[dict[str, Any]] = [{}]
    about.pop("at", None)
    if name == "shown":
        result, first = about.pop("result"), about.pop("first", 1)
        items = enumerate(result.items, first)
        events = [{"item_id": item.item_id, "position": position} for position, item in items]
        about |= {"generation": result.generation, "model": result.model}
        of = result.assignment
        if of and not of.forced and about.get("variant") is None:
            about |= {"experiment": of.experiment, "variant": of.variant, "phase": of.phase}
    kind = {"shown": "impression", "clicked": "click"}.get(name) or about.pop("action")
    about |= {"event_type": kind, "user_id": about.pop("user"), "item_id": about.pop("item", None)}
    for number in {"value", "latency_ms"} & about.keys():
        about[number] = repr(about[number])
    for event, event_id in zip(events, event_ids, strict=True):
        assert about.get("event_id") in (None, event_id)
        yield about | event | {"event_id": event_id}
