"""Blocking client: `Shelf`.

>>> from nightshelf import Shelf
>>> shelf = Shelf.from_url("redis://127.0.0.1:1/0", "shop")  # no server on port 1
>>> shelf.get("u42").source
'none'
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, overload

from redis import Redis

from nightshelf.client.core import feature_rows as features
from nightshelf.client.core import queries, status, tracking
from nightshelf.client.core.failures import FAILURES
from nightshelf.client.core.protocol import Batch, Exchange, NoReply
from nightshelf.client.core.state import CallState, ClientState
from nightshelf.client.core.tracking import TrackingReceipt
from nightshelf.client.event import Event
from nightshelf.client.filters import Filters
from nightshelf.client.results import Counters, Result, Status
from nightshelf.client.settings import ASKED, ReadSettings
from nightshelf.client.transport.connection import (
    READ_TIMEOUT_S,
    address,
    check_client,
    connect,
    deadline_s,
)
from nightshelf.client.transport.exchange import ask
from nightshelf.client.transport.listener import Listener
from nightshelf.contract.experiment import Experiment
from nightshelf.contract.feature_rules import Counting
from nightshelf.contract.ids import is_one

T = TypeVar("T")


class Shelf:
    """Client of one namespace; `InvalidKey` for an invalid one. Threads may share it.

    Reads do not raise for a failing Redis: within the deadline they return the next fallback level
    of own list, favourite categories, segment, everyone, last good copy, nothing. An id is text, a
    whole number, a UUID or bytes (`nightshelf.contract.ids`); anything else, also `None`, is an
    unknown user. A result is of one generation, and holds no item that was blocked a second ago.
    Values are cached in the process for seconds.
    """

    def __init__(
        self,
        client: Redis,
        namespace: str,
        *,
        settings: ReadSettings = ReadSettings(),  # noqa: B008 - immutable
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] | None = None,
    ) -> None:
        check_client(client)
        self._client = client
        self._deadline_s = settings.deadline_s or deadline_s(client)
        self._state = ClientState(namespace, settings, clock, chance)

    @classmethod
    def from_url(
        cls,
        url: str,
        namespace: str,
        *,
        settings: ReadSettings = ReadSettings(),  # noqa: B008 - immutable
    ) -> "Shelf":
        """Open a shelf with short timeouts and no retries; see `connect`."""
        return cls(
            connect(url, timeout_s=settings.deadline_s or READ_TIMEOUT_S),
            namespace,
            settings=settings,
        )

    def __repr__(self) -> str:
        return f"Shelf({address(self._client)}, {self._state.keys.namespace!r})"

    def get(
        self,
        user: str,
        n: int = 10,
        *,
        model: str | None = None,
        filters: Filters | None = None,
        cursor: str | None = None,
        metadata: bool = False,
        forced: str | None = None,
    ) -> Result:
        """Return up to `n` items for any user; `ValueError` where `n` is under 1.

        `cursor` (of the previous page) goes on in its generation, without repeats; once that
        generation's keys have expired, the result is empty, without a cursor. `metadata` adds the
        items' feature rows.

        The model is that of the user's variant in an experiment, else the generation's default.
        `model` names another, outside any experiment; `forced` (``<experiment>:<variant>``) shows a
        tester a variant. A `forced` that is not published is passed over.
        """
        query = queries.get(self._state, user, n, model, filters, cursor, metadata, forced)
        return self._run(query)

    def get_many(self, users: Sequence[str], n: int = 10) -> list[Result]:
        """Return what `get` returns for each user, all lists and masks in one round trip."""
        return self._run(queries.get_many(self._state, users, n))

    def similar(
        self, item: str, n: int = 10, *, user: str | None = None, metadata: bool = False
    ) -> Result:
        """Return up to `n` similar items, else popular ones; masked for `user`."""
        return self._run(queries.similar(self._state, item, n, user, metadata))

    def popular(
        self,
        segment: str = "all",
        n: int = 10,
        *,
        user: str | None = None,
        metadata: bool = False,
    ) -> Result:
        """Return up to `n` popular items of a segment (`nightshelf.contract`), else of everyone."""
        return self._run(queries.popular(self._state, segment, n, user, metadata))

    @overload
    def user_features(self, users: str) -> dict[str, Any]: ...
    @overload
    def user_features(self, users: Sequence[str]) -> dict[str, dict[str, Any]]: ...
    def user_features(self, users: str | Sequence[str]) -> dict[str, Any]:
        """Return a user's feature row (empty where there is none), or those of many by id."""
        if is_one(users):
            return self._run(features.of_users(self._state, [users])).get(users, {})
        return self._run(features.of_users(self._state, users))

    def item_features(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the feature rows of items by id, without absent ones."""
        return self._run(features.of_items(self._state, ids))

    def acted(
        self,
        user: str,
        action: str,
        item: str | None = None,
        value: float | None = None,
        **details: Any,
    ) -> TrackingReceipt:
        """Record a user's action, and apply the effects that the live generation gives its type.

        An unknown type is recorded too, and named in `TrackingReceipt.unknown_types`. `details` are
        further fields of `Event`. Raises `InvalidKey` for an invalid id.
        """
        return self._run(tracking.acted(self._state, Event(user, action, item, value, **details)))

    def shown(
        self, user: str, result: Result, *, first: int = 1, variant: str | None = None
    ) -> TrackingReceipt:
        """Record that a user was shown a result, its first item at position `first`.

        The result says which experiment, variant and phase it belongs to; `variant` names one of an
        experiment of the app's own instead.
        """
        return self.record(tracking.shown_events(user, result, first, variant))

    def clicked(self, user: str, item: str, **details: Any) -> TrackingReceipt:
        """Record a click on an item; `details` are further fields of `Event`."""
        return self.record([Event(user, "click", item, **details)])

    def record(self, events: Sequence[Event]) -> TrackingReceipt:
        """Record events without immediate effects, in one round trip."""
        return self._run(tracking.record(self._state, events))

    def counting(self) -> Counting | None:
        """Return how the live generation counts event types, at most a minute old."""
        return self._run(tracking.live_counting(self._state))

    def experiments(self) -> tuple[Experiment, ...]:
        """Return the live experiments, at most a second old; none where nothing is known."""
        return self._run(queries.experiments(self._state))

    def n_waiting(self) -> int | None:
        """Return the number of events that wait to be collected, at most a second old.

        `None` where Redis does not reply, or the login lacks XLEN.
        """
        return self._run(tracking.n_waiting(self._state, CallState()))

    def status(self) -> Status:
        """Ask Redis what is live; failures are returned in `error`, not raised."""
        return self._run(status.read_status(self._state), always=True)

    def counters(self) -> Counters:
        """Return counts of failures by cause, results by source, and cache hits."""
        return self._state.counters()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Subscribe to invalidations by other processes, in a thread."""
        listener = Listener(self._client, self._state)
        listener.start()
        try:
            yield
        finally:
            listener.stop()

    def _run(self, exchange: Exchange[T], *, always: bool = False) -> T:
        until = time.monotonic() + ASKED * self._deadline_s
        reply: Any = None
        try:
            while True:
                needed = exchange.send(reply)
                reply = None
                if isinstance(needed, list):
                    reply = self._ask(needed, until, always)
                else:
                    with suppress(TimeoutError):
                        needed.result(max(0.0, until - time.monotonic()))
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            exchange.close()

    def _ask(self, batch: Batch, until: float, always: bool) -> list[Any] | NoReply:
        refused = None if always else self._state.refused_by_breaker()
        if refused:
            return refused
        try:
            replies = ask(self._client, batch, until)
        except FAILURES as error:
            return self._state.failed(error, self._deadline_s)
        self._state.breaker.answered()
        return replies
