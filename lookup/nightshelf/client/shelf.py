"""Reading lists: `Shelf`, as plain as `dict.get`.

>>> from nightshelf import Shelf
>>> shelf = Shelf.from_url("redis://127.0.0.1:1/0", "shop")  # nobody listens on port 1
>>> shelf.get("u42").source
'none'
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, overload

from redis import Redis

from nightshelf.client.core import feature_rows as features
from nightshelf.client.core import queries, tracking
from nightshelf.client.core.protocol import Batch, Talk, Unanswered
from nightshelf.client.core.state import Call, Mind
from nightshelf.client.core.tracking import TrackingReceipt
from nightshelf.client.event import Event
from nightshelf.client.filters import Filters
from nightshelf.client.results import Counters, Result, Status
from nightshelf.client.settings import ReadSettings
from nightshelf.client.transport.connection import (
    FAILURES,
    READ_TIMEOUT_S,
    address,
    check_client,
    connect,
    deadline_s,
)
from nightshelf.client.transport.exchange import ask
from nightshelf.client.transport.listener import Listener
from nightshelf.contract.feature_rules import Counting
from nightshelf.contract.ids import is_one

T = TypeVar("T")


class Shelf:
    """The lists of one namespace. `InvalidKey` where the namespace is none.

    Reads never raise for a Redis that fails them: they answer from the next rung of own list,
    favourite categories, segment, everyone, last good copy, nothing, within the client's timeout.
    An id is text, a whole number, a UUID or bytes (`nightshelf.contract.ids`); anything else,
    `None` too, is answered as a stranger. One answer is of one generation, and none holds an item
    that was blocked a second ago. What was read is kept in the process for seconds. Threads may
    share a shelf.
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
        self._mind = Mind(namespace, settings, clock, chance)

    @classmethod
    def from_url(
        cls,
        url: str,
        namespace: str,
        *,
        settings: ReadSettings = ReadSettings(),  # noqa: B008 - immutable
    ) -> "Shelf":
        """Open a shelf for a read path: quick to give up, and no retries; see `connect`."""
        return cls(
            connect(url, timeout_s=settings.deadline_s or READ_TIMEOUT_S),
            namespace,
            settings=settings,
        )

    def __repr__(self) -> str:
        return f"Shelf({address(self._client)}, {self._mind.keys.namespace!r})"

    def get(
        self,
        user: str,
        n: int = 10,
        *,
        model: str | None = None,
        filters: Filters | None = None,
        cursor: str | None = None,
        metadata: bool = False,
    ) -> Result:
        """Return up to `n` items for a user, known or not; `ValueError` where `n` is under 1.

        `cursor` (of the page before) goes on where that ended, in its generation, without repeats;
        once the generation's keys have left, the answer is empty and has no cursor. `model` names
        another than the generation's own. `metadata` adds the items' feature rows.
        """
        return self._run(queries.get(self._mind, user, n, model, filters, cursor, metadata))

    def get_many(self, users: Sequence[str], n: int = 10) -> list[Result]:
        """Return what `get` returns for each, the lists and masks in one round trip."""
        return self._run(queries.get_many(self._mind, users, n))

    def similar(
        self, item: str, n: int = 10, *, user: str | None = None, metadata: bool = False
    ) -> Result:
        """Return up to `n` items like this one, or what everyone likes; masked for `user`."""
        return self._run(queries.similar(self._mind, item, n, user, metadata))

    def popular(
        self,
        segment: str = "all",
        n: int = 10,
        *,
        user: str | None = None,
        metadata: bool = False,
    ) -> Result:
        """Return up to `n` items of a segment (`nightshelf.contract`), or what everyone likes."""
        return self._run(queries.popular(self._mind, segment, n, user, metadata))

    @overload
    def user_features(self, users: str) -> dict[str, Any]: ...
    @overload
    def user_features(self, users: Sequence[str]) -> dict[str, dict[str, Any]]: ...
    def user_features(self, users: str | Sequence[str]) -> dict[str, Any]:
        """Return a user's feature row (empty where Redis gives none), or those of many by id."""
        if is_one(users):
            return self._run(features.of_users(self._mind, [users])).get(users, {})
        return self._run(features.of_users(self._mind, users))

    def item_features(self, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the feature rows of items by id, leaving out those that Redis does not give."""
        return self._run(features.of_items(self._mind, ids))

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
        return self._run(tracking.acted(self._mind, Event(user, action, item, value, **details)))

    def shown(
        self, user: str, result: Result, *, first: int = 1, variant: str | None = None
    ) -> TrackingReceipt:
        """Tell that a user was shown an answer, its first item at position `first`."""
        return self.record(tracking.shown_events(user, result, first, variant))

    def clicked(self, user: str, item: str, **details: Any) -> TrackingReceipt:
        """Tell that a user clicked on an item; `details` are further fields of `Event`."""
        return self.record([Event(user, "click", item, **details)])

    def record(self, events: Sequence[Event]) -> TrackingReceipt:
        """Tell of events that have no effect at once, in one round trip."""
        return self._run(tracking.record(self._mind, events))

    def counting(self) -> Counting | None:
        """Return how the live night counts event types, as of a minute ago at most."""
        return self._run(tracking.definition(self._mind))

    def n_waiting(self) -> int | None:
        """Return how many events wait to be collected, as Redis said within the last second.

        `None` where it does not answer, or may not be asked (the login lacks XLEN).
        """
        return self._run(tracking.n_waiting(self._mind, Call()))

    def status(self) -> Status:
        """Ask Redis afresh what is live; failures are told in `error`, not raised."""
        return self._run(features.status(self._mind), always=True)

    def counters(self) -> Counters:
        """Return what this shelf has met, by cause, source and kind of hit."""
        return self._mind.counters()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear of actions and changes that other processes tell, from a thread of its own."""
        listener = Listener(self._client, self._mind)
        listener.start()
        try:
            yield
        finally:
            listener.stop()

    def _run(self, talk: Talk[T], *, always: bool = False) -> T:
        until = time.monotonic() + self._deadline_s
        answer: Any = None
        try:
            while True:
                wanted = talk.send(answer)
                answer = None
                if isinstance(wanted, list):
                    answer = self._ask(wanted, until, always)
                else:
                    with suppress(TimeoutError):
                        wanted.result(max(0.0, until - time.monotonic()))
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            talk.close()

    def _ask(self, batch: Batch, until: float, always: bool) -> list[Any] | Unanswered:
        away = None if always else self._mind.turned_away()
        if away:
            return away
        try:
            replies = ask(self._client, batch, until)
        except FAILURES as error:
            return self._mind.failed(error, self._deadline_s)
        self._mind.breaker.answered()
        return replies
