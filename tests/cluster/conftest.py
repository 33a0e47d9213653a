"""Fixtures: one cluster for the session, in place of the one server that other tests share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from nightshelf.client.transport.cluster import ClusterClient
from nightshelf.client.transport.connection import connect
from tests.cluster.nodes import Cluster, running_cluster
from tests.lookup.clients import CLIENTS, opening
from tests.lookup.conftest import kind, shelf_of, trips  # noqa: F401 - fixtures of both suites

PATIENCE_S = 10.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder."""
    for item in items:
        if "/tests/cluster/" in str(item.path):
            item.add_marker("cluster")


class Flushing(ClusterClient):
    """A client that empties all nodes, where a test's own asks for an empty server."""

    def flushdb(self, *_: Any, **__: Any) -> bool:
        return all(self.on_each("FLUSHDB").values())


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as running:
        yield running


@pytest.fixture(scope="session")
def redis_url(cluster: Cluster) -> str:
    return cluster.url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[ClusterClient]:
    """A client of the session's cluster, which is empty."""
    made: Any = connect(redis_url, timeout_s=PATIENCE_S)
    made.__class__ = Flushing
    with closing(made) as client:
        client.flushdb()
        yield client


@pytest.fixture
def both() -> Iterator[Callable[..., list[Any]]]:
    """Opens a shelf of threads and one of asyncio, which a test reads in turn."""
    with ExitStack() as stack:
        openers = [stack.enter_context(opening(kind)) for kind in CLIENTS]
        yield lambda url, **given: [open_one(url, **given) for open_one in openers]
