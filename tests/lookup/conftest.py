"""Clients that act at the worst moment."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from redis import Redis

from tests.lookup.clients import COLOURS, Line, ShelfOf, opening, watched


class Sleeper(Redis):
    """A client that sleeps through `others` between reading the world and changing it."""

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


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shelf_of(colour: str) -> Iterator[ShelfOf]:
    """Opens shelves, of threads and of asyncio in turn."""
    with opening(colour) as open_one:
        yield open_one


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    with watched(monkeypatch) as watching:
        yield watching
