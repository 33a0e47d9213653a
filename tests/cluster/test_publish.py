"""Publishing to a cluster: the same digest as to one server, whatever moves; live or not at all."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from redis import RedisError
from redis.crc import key_slot

from nightshelf import Shelf
from nightshelf.admin import generations
from nightshelf.client.transport.cluster import on_each
from tasks.artifacts.records import Provenance
from tasks.errors import NoRoom, SettingsError
from tasks.publish.go_live import flip
from tasks.publish.keyspace import Family
from tasks.publish.memory_estimate import estimate_memory
from tasks.publish.redis_client import connect, refuse_cluster
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import open_run, read_back, stage
from tasks.runs.run_folder import Run
from tests.cluster.nodes import Cluster, running_cluster
from tests.conftest import run_valkey
from tests.tasks.small_models import AS_OF, make_shelves

SETTINGS = PublishSettings(max_batch_keys=7, timeout_s=2.0, failover_s=15.0)
MADE = Provenance(10, "")


def published(
    client: Any, root: Path, between: Callable[[], object] = lambda: None
) -> tuple[Run, tuple[Family, ...], str]:
    """Stage, read back and flip a generation; `between` acts after its first batch."""
    run = open_run(client, "shop", AS_OF, root)
    shelves, begun = make_shelves(run), list[int]()

    def progress(n: int, total: int) -> None:
        if not begun:
            begun.append(n)
            between()

    staged = stage(run, client, shelves, SETTINGS, MADE, progress=progress)
    read_back(run, client, shelves, staged, SETTINGS)
    flip(run, client)
    return run, shelves, staged.digest


def first_user(shelves: tuple[Family, ...]) -> str:
    return next(shelves[0].ids(10))[0]


def test_the_digest_is_that_of_one_server(
    cluster: Cluster, redis_client: Any, tmp_path: Path
) -> None:
    with closing(connect(cluster.url, SETTINGS)) as client:
        _, shelves, digest = published(client, tmp_path / "cluster")
        assert len([n for n in on_each(client, "DBSIZE").values() if n > 10]) == 3
    for url in run_valkey():
        with closing(connect(url, SETTINGS)) as client:
            assert published(client, tmp_path / "one")[2] == digest
    assert Shelf(redis_client, "shop").get(first_user(shelves)).source == "list"


def test_slots_move_while_a_generation_is_written(
    cluster: Cluster, redis_client: Any, tmp_path: Path
) -> None:
    """Slots of half of the lists are given to another node, two of them only in part."""
    with closing(connect(cluster.url, SETTINGS)) as client:
        half_moved: list[tuple[int, Any]] = []

        def move() -> None:
            users = next(make_shelves(Run("shop", 9, AS_OF, tmp_path / "ids"))[0].ids(100))
            for at, user in enumerate(users[::2]):
                slot = key_slot(b"{%s}" % user.encode())
                to = next(node for node in cluster.masters if node is not cluster.owner(slot))
                cluster.begin_move(slot, to)
                if at < 2:
                    half_moved.append((slot, to))
                    continue
                cluster.move_keys(slot, to)
                cluster.end_move(slot, to)

        run, shelves, digest = published(client, tmp_path, move)
        for slot, to in half_moved:
            cluster.move_keys(slot, to)
            cluster.end_move(slot, to)
        again = published(client, tmp_path)[2]
        assert again == digest
        live = generations.current(client, "shop")
        assert live is not None
        assert live.generation == run.generation + 1
    shelf = Shelf(redis_client, "shop")
    assert {shelf.get(user).source for user in next(shelves[0].ids(100))} == {"list"}


def test_one_node_is_no_cluster(cluster: Cluster) -> None:
    one = f"redis://127.0.0.1:{cluster.masters[0].port}/0"
    named = pytest.raises(SettingsError, match=r"by redis\+cluster://")
    with closing(connect(one, SETTINGS)) as client, named:
        refuse_cluster(client)


def test_the_fullest_node_decides_whether_a_generation_fits(
    cluster: Cluster, redis_client: Any, tmp_path: Path
) -> None:
    run = Run("shop", 1, AS_OF, tmp_path)
    shelves = make_shelves(run)
    node = cluster.masters[1]
    with closing(connect(cluster.url, SETTINGS)) as client:
        assert estimate_memory(run, client, shelves).n_free is None
        node.ask("CONFIG", "SET", "maxmemory", 1_000_000)
        try:
            with pytest.raises(NoRoom, match=f"node 127.0.0.1:{node.port} of the cluster"):
                estimate_memory(run, client, shelves)
        finally:
            node.ask("CONFIG", "SET", "maxmemory", 0)


@pytest.fixture(scope="module")
def mortal() -> Iterator[Cluster]:
    """A cluster of which one master after the other is killed; each has a replica."""
    with running_cluster(n_replicas=1) as running:
        yield running


def test_a_node_lost_while_a_generation_is_written(mortal: Cluster, tmp_path: Path) -> None:
    """With a replica to take its place the night goes on; without one it fails: nothing moves."""
    home = mortal.owner(key_slot(b"{shop}"))
    first, second = (node for node in mortal.masters if node is not home)
    with closing(connect(mortal.url, SETTINGS)) as client:
        run, shelves, digest = published(client, tmp_path)
        client.wait(1, 1000)
        after, _, same = published(client, tmp_path, first.kill)
        assert (after.generation, same) == (run.generation + 1, digest)
        replica = mortal.replicas[mortal.masters.index(second)]
        replica.kill()
        hasty = connect(mortal.url, PublishSettings(max_batch_keys=7, failover_s=1.0))
        with closing(hasty), pytest.raises(RedisError):
            published(hasty, tmp_path, second.kill)
        live = generations.current(client, "shop")
        assert live is not None
        assert live.generation == after.generation
        kept = [u for u in next(shelves[0].ids(100)) if mortal.owner_or_none(u) is not None]
    with closing(connect(mortal.url, SETTINGS)) as client:  # it has seconds, as the machine is busy
        read = [Shelf(client, "shop").get(user) for user in kept]
    assert {(each.source, each.generation) for each in read} == {("list", after.generation)}
