"""Fixtures of both clients, and a client that acts late."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from redis import Redis

from tests.lookup.clients import CLIENTS, RoundTrips, ShelfOf, opening, watched


class Sleeper(Redis):
    """A client that runs `others` between reading the namespace's state and changing it."""

    others: Callable[[], object] = staticmethod(lambda: None)

    def eval(self, *args: Any) -> Any:
        others, self.others = self.others, lambda: None
        others()
        return super().eval(*args)


@pytest.fixture
def sleeper(redis_url: str, redis_client: Redis) -> Iterator[Any]:
    """A sleeper on the session's server."""
    with closing(Sleeper.from_url(redis_url)) as client:
        yield client


@pytest.fixture(params=CLIENTS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shelf_of(kind: str) -> Iterator[ShelfOf]:
    """Opens shelves, of threads and of asyncio in turn."""
    with opening(kind) as open_one:
        yield open_one


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> Iterator[RoundTrips]:
    with watched(monkeypatch) as watching:
        yield watching
