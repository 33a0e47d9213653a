"""Command that prints how long reads take while a cluster's node, or a primary, is gone.

Example: python -m tests.cluster
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from redis.crc import key_slot

from nightshelf import ReadSettings
from nightshelf.client.transport.connection import connect
from tests.cluster.nodes import running_cluster
from tests.cluster.sentinels import watched
from tests.cluster.shop import DEADLINE_S, KEYS, USERS, Reads, publish_all
from tests.lookup.clients import CLIENTS, opening

_FROZEN_S, _LONGEST_S = 4.0, 20.0
_UNKEPT = ReadSettings(max_bytes=0)


def main() -> None:
    """Print a row for each fault."""
    print(f"{'':28}{'lists again':>12}{'reads':>8}{'p50':>7}{'p99':>7}{'slowest':>9}  ms")
    with running_cluster() as cluster, shelves_of(cluster.url) as shelves:
        home = cluster.owner(key_slot(KEYS.current.encode()))
        node = next(each for each in cluster.masters if each is not home)
        node.freeze()
        reads = read_for(shelves, _FROZEN_S)
        node.wake()
        show("a node frozen for 4 s", reads, until_listed(shelves, reads))
    with running_cluster(n_replicas=1) as cluster, shelves_of(cluster.url) as shelves:
        home = cluster.owner(key_slot(KEYS.current.encode()))
        next(each for each in cluster.masters if each is not home).kill()
        reads = Reads()
        show("a master killed", reads, until_listed(shelves, reads))
    with TemporaryDirectory() as own, watched(Path(own)) as lists, shelves_of(lists.url) as shelves:
        lists.primary.kill()
        reads = Reads()
        show("a primary of Sentinel killed", reads, until_listed(shelves, reads))


@contextmanager
def shelves_of(url: str) -> Iterator[list[Any]]:
    """Publish, and open readers of threads and of asyncio that have read every list."""
    with ExitStack() as stack:
        client = stack.enter_context(closing(connect(url, timeout_s=10)))
        publish_all(client)
        client.wait(1, 1000)
        openers: list[Callable[..., Any]] = [stack.enter_context(opening(k)) for k in CLIENTS]
        shelves = [open_one(url, timeout_s=DEADLINE_S, settings=_UNKEPT) for open_one in openers]
        until_listed(shelves, Reads())
        yield shelves


def read_for(shelves: Sequence[Any], seconds: float) -> Reads:
    """Read all users' lists in turn for some seconds."""
    reads, began = Reads(), time.monotonic()
    while time.monotonic() - began < seconds:
        for user, shelf in product(USERS, shelves):
            reads.get(shelf, user)
    return reads


def until_listed(shelves: Sequence[Any], reads: Reads) -> float:
    """Read until every user's list comes from Redis; return the seconds that took."""
    began = time.monotonic()
    while time.monotonic() - began < _LONGEST_S:
        found = {reads.get(shelf, user).source for user, shelf in product(USERS, shelves)}
        if found == {"list"}:
            return time.monotonic() - began
    raise SystemExit(f"lists are not back after {_LONGEST_S:g} s: {found}")


def show(fault: str, reads: Reads, again_s: float) -> None:
    """Print a row."""
    p50, p99, slowest = np.quantile(reads.waits_s, [0.5, 0.99, 1.0]) * 1000
    print(
        f"{fault:28}{again_s:10.1f} s{len(reads.waits_s):8,}{p50:7.1f}{p99:7.1f}{slowest:9.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
