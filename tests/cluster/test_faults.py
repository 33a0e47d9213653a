"""Readers of a cluster: a node is frozen, killed and replaced, or its slots move.

Always an answer, in time, of one generation; users of the other nodes keep their lists.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product
from typing import Any

import pytest
from redis.crc import key_slot

from nightshelf import ReadSettings
from nightshelf.client.transport.connection import connect
from nightshelf.doctor.examine import examine
from tests.cluster.nodes import Cluster, RunningNode, running_cluster
from tests.cluster.shop import DEADLINE_S, KEYS, USERS, Reads, publish_all

Both = Callable[..., list[Any]]
UNKEPT = ReadSettings(max_bytes=0)
RECOVERED_S = 10.0


def slot(user: str) -> int:
    return key_slot(KEYS.masked(user).encode())


def served_by(cluster: Cluster, node: RunningNode) -> list[str]:
    return [user for user in USERS if cluster.owner(slot(user)) is node]


def until_all_listed(shelves: list[Any], reads: Reads) -> float:
    """Read until every user's list comes from its node again; return the seconds that took."""
    began = time.monotonic()
    while True:
        sources = [reads.get(shelf, user).source for user in USERS for shelf in shelves]
        if set(sources) == {"list"}:
            return time.monotonic() - began
        assert time.monotonic() - began < RECOVERED_S, sources


@pytest.mark.parametrize("holds_pointer", [False, True])
def test_a_frozen_node_takes_its_own_users_alone(
    cluster: Cluster, redis_client: Any, both: Both, holds_pointer: bool
) -> None:
    publish_all(redis_client)
    home = cluster.owner(key_slot(KEYS.current.encode()))
    node = home if holds_pointer else next(each for each in cluster.masters if each is not home)
    theirs = served_by(cluster, node)
    shelves, reads = both(cluster.url, timeout_s=DEADLINE_S, settings=UNKEPT), Reads()
    until_all_listed(shelves, reads)
    node.freeze()
    try:
        for user in theirs[:3]:  # after three failures the node is left alone
            assert all(reads.get(shelf, user).source != "list" for shelf in shelves)
        began, during, n_late, n_others = time.monotonic(), Reads(), 0, 0
        while time.monotonic() - began < 1.6:  # the pointer is due as well
            for user, shelf in product(USERS, shelves):
                source = during.get(shelf, user).source
                assert source != "none"
                assert user not in theirs or source != "list"
                n_others += user not in theirs
                n_late += user not in theirs and source != "list"
        with closing(connect(cluster.url, timeout_s=0.5)) as client:
            found = examine(client, "shop", 86_400, names=("connection",))["connection"].found
        assert found.startswith(f"no answer of 127.0.0.1:{node.port}: ")
    finally:
        node.wake()
        cluster.await_up()
    assert n_late <= n_others // 20, "a busy machine may be late"
    assert during.median_s < DEADLINE_S / 2, "readers do not wait for the node"
    for shelf in shelves:
        assert shelf.counters().causes["timeout"] >= ReadSettings().breaker_after
    until_all_listed(shelves, reads)


def test_slots_move_under_readers(cluster: Cluster, redis_client: Any, both: Both) -> None:
    """Slots go from node to node, half moved for a while, and generations flip meanwhile."""
    publish_all(redis_client)
    shelves, reads = both(cluster.url, timeout_s=DEADLINE_S, settings=UNKEPT), Reads()
    until_all_listed(shelves, reads)
    done, failed = threading.Event(), []

    def move() -> None:
        try:
            for at, user in enumerate(USERS[::6]):
                others = [n for n in cluster.masters if n is not cluster.owner(slot(user))]
                to = others[at % 2]
                cluster.begin_move(slot(user), to)
                cluster.move_keys(slot(user), to, n=1)
                publish_all(redis_client)
                cluster.move_keys(slot(user), to)
                cluster.end_move(slot(user), to)
        except Exception as error:
            failed.append(error)
        finally:
            done.set()

    moving = threading.Thread(target=move)
    moving.start()
    began, during = time.monotonic(), Reads()
    while not done.is_set() or time.monotonic() - began < 1.2:  # the pointer is read again
        for user, shelf in product(USERS, shelves):
            during.get(shelf, user)
    moving.join()
    assert not failed
    causes = {cause for shelf in shelves for cause in shelf.counters().causes}
    assert causes <= {"timeout", "breaker"}, "nothing was refused"
    n_late = during.sources.total() - during.sources["list"]
    assert n_late <= during.sources.total() // 50, "a busy machine may be late"
    assert len(during.generations) > 1


@pytest.fixture(scope="module")
def replicated() -> Iterator[Cluster]:
    with running_cluster(n_replicas=1) as running:
        yield running


def test_a_killed_node_is_replaced(replicated: Cluster, both: Both) -> None:
    """Its replica takes its place: readers find it, and the lists that it has."""
    with closing(connect(replicated.url, timeout_s=10)) as client:
        publish_all(client)
        client.wait(1, 1000)
        shelves, reads = both(replicated.url, timeout_s=DEADLINE_S, settings=UNKEPT), Reads()
        until_all_listed(shelves, reads)
        home = replicated.owner(key_slot(KEYS.current.encode()))
        alive = [node for node in replicated.every if node.process.poll() is None]
        owners = {replicated.owner(slot(user)).port for user in USERS}
        node = next(
            n for n in alive if n.port in owners and n is not home and n in replicated.masters
        )
        node.kill()
        took_s = until_all_listed(shelves, reads)
        assert 0 < took_s < RECOVERED_S
        assert reads.sources["none"] == 0
        publish_all(client)  # the client of before finds the new master as well
        time.sleep(1.1)
        until_all_listed(shelves, reads)
        assert len(reads.generations) == 2
