"""Clients that act at the worst moment."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from redis import Redis


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
