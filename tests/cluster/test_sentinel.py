"""A primary that Sentinel names: its replica takes over with what it has.

What has not reached the replica is lost with the primary. A flip is written after its lists, so a
replica without it serves the generation before, whole.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from signal import SIGSTOP
from typing import Any

import pytest

from nightshelf import ReadSettings
from nightshelf.admin import generations
from nightshelf.client.transport.connection import address, connect
from nightshelf.doctor.examine import examine
from tasks.publish.redis_client import connect as connect_publisher
from tasks.publish.republish import republish
from tasks.publish.settings import PublishSettings
from tasks.runs.saved_run import SavedRun
from tests.cluster.sentinels import FAILED_OVER_S, Watched, watched
from tests.cluster.shop import USERS, Reads, publish_all
from tests.lookup.shelves import SHOP
from tests.nightshelf_ops.night import make_night

UNKEPT = ReadSettings(max_bytes=0)
PUBLISH = PublishSettings()


@pytest.fixture
def lists(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as running:
        yield running


def until_from(shelves: list[Any], generation: int) -> float:
    """Read until all lists are of a generation; return the seconds that took."""
    began = time.monotonic()
    while True:
        reads = Reads()
        found = [reads.get(shelf, user) for user in USERS for shelf in shelves]
        if {(each.source, each.generation) for each in found} == {("list", generation)}:
            return time.monotonic() - began
        assert time.monotonic() - began < FAILED_OVER_S, reads.sources
        time.sleep(0.05)


def test_a_replica_without_the_flip_serves_the_generation_before(
    lists: Watched, both: Callable[..., list[Any]]
) -> None:
    with closing(connect(lists.url, timeout_s=5)) as client:
        assert address(client).startswith("lists of sentinels 127.0.0.1:")
        first = publish_all(client).generation
        client.wait(1, 1000)
        lists.replica.send_signal(SIGSTOP)
        client.client_kill_filter(_type="replica")  # nothing reaches it from now on
        shelves = both(lists.url, timeout_s=0.05, settings=UNKEPT)
        second = publish_all(client).generation
        until_from(shelves, second)
        lists.fail_over()
        until_from(shelves, first)
        live = generations.current(client, SHOP)
        assert live is not None
        assert live.generation == first
        third = publish_all(client).generation
        until_from(shelves, third)


def test_lists_that_a_replica_lacks_are_found_and_published_again(
    lists: Watched, tmp_path: Path
) -> None:
    with closing(connect_publisher(lists.url, PUBLISH)) as client:
        run = make_night(client, tmp_path / "runs")
        client.wait(1, 1000)
        lists.fail_over()
        theirs = list(client.scan_iter(match=f"shelf:{SHOP}:{run.generation}:list:*"))
        client.unlink(*theirs[::2])
        found = examine(client, SHOP, 86_400, names=("keys", "pointer"))
        assert found["keys"].outcome == "fail"
        assert "are missing" in found["keys"].found
        source = SavedRun.open(run.folder)
        again = republish(client, source, PUBLISH)
        assert (again.digest, again.generation) == (source.manifest.digest, run.generation + 1)
        assert examine(client, SHOP, 86_400, names=("keys",))["keys"].outcome == "ok"
