"""Disks that are full or read-only: one clear line, and nothing is left half written."""

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from redis import Redis

from data.sample_shop.shop import ShopSettings, make_shop
from nightshelf.admin import generations
from tasks.artifacts.records import Provenance
from tasks.backfill import make_date, open_date
from tasks.collector.collect import CollectSettings
from tasks.collector.compact import CompactSettings, compact
from tasks.errors import DiskError
from tasks.ingest.contract import Inputs, check_inputs
from tasks.publish.stage import open_run, stage
from tasks.runs.run_folder import Run
from tasks.settings import Settings
from tests.faults.disks import Disk, mounted
from tests.faults.nights import SETTINGS, SHOP, night, shelves_of
from tests.tasks.collector.event_streams import KEY, event_ids, gather, track
from tests.tasks.small_models import AS_OF

LOG = ShopSettings(n_users=120, n_items=150, n_days=14)
#: What a run's folder holds beside the files of finished steps.
OWN = {"steps.jsonl", "settings.json", "made_from.json", "manifest.json", "gates.json"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    root = tmp_path_factory.mktemp("log")
    make_shop(root, LOG)
    events, items, users = (root / name for name in ("events", "items.parquet", "users.parquet"))
    return check_inputs(events, items, users, Settings().inputs)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk", 64 * 2**20) as made:
        yield made


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(DiskError) as error:
        act()
    said = str(error.value)
    assert "\n" not in said
    assert "free of" in said
    return said


def debris(root: Path) -> list[str]:
    """Return the files under a folder of runs that no finished step has left."""
    every = {path for path in root.rglob("*") if path.is_file() and "rollups" not in path.parts}
    for journal in root.rglob("steps.jsonl"):
        for line in journal.read_text().splitlines():
            every -= {journal.parent / name for name in json.loads(line).get("files", {})}
    return sorted(str(path) for path in every if path.name not in OWN)


def made(root: Path, inputs: Inputs) -> Run:
    run = open_date(root, "shop", LOG.end)
    make_date(run, inputs, Settings(), "report")
    return run


def lists_of(run: Run) -> bytes:
    return (run.folder / "lists/lists.parquet").read_bytes()


def test_a_night_on_a_disk_that_fills_up(
    disk: Disk, inputs: Inputs, tmp_path: Path, figure: Callable[[int, str], None]
) -> None:
    """It breaks off at another step each time, and is finished once there is room."""
    whole = made(tmp_path / "plain", inputs)
    n_bytes = sum(path.stat().st_size for path in whole.folder.rglob("*") if path.is_file())
    root = disk.path / "runs"
    said = []
    for share in (0, 0.1, 0.25, 0.4, 0.6, 0.8):
        disk.resize(max(disk.n_used, int(share * n_bytes)))
        said.append(refused(lambda: made(root, inputs)))
        assert debris(disk.path) == []
    assert len({each.split(":")[0] for each in said}) >= 3, said
    assert all("is full" in each for each in said)
    disk.resize(64 * 2**20)
    assert lists_of(made(root, inputs)) == lists_of(whole)
    figure(16, f"a night at {len(said)} sizes of disk: {len(said)} clear lines, 0 files left over")


def test_a_closed_disk_and_a_folder_under_a_file(
    disk: Disk, inputs: Inputs, tmp_path: Path
) -> None:
    disk.close()
    said = refused(lambda: made(disk.path / "runs", inputs))
    assert "Read-only file system" in said
    assert str(disk.path / "runs") in said
    (tmp_path / "file").touch()
    assert "Not a directory" in refused(lambda: made(tmp_path / "file/runs", inputs))


@contextmanager
def files_up_to(n_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a quota would; the system needs no root for that."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_may_not_grow(inputs: Inputs, tmp_path: Path) -> None:
    with files_up_to(20_000):
        assert "is full" in refused(lambda: made(tmp_path / "runs", inputs))
    assert debris(tmp_path) == []


def test_staging_with_no_room_leaves_the_live_generation(
    disk: Disk, redis_client: Redis, tmp_path: Path
) -> None:
    night(redis_client, tmp_path, 50)
    run = open_run(redis_client, SHOP, AS_OF, disk.path)
    shelves = shelves_of(run, 50)
    disk.resize(disk.n_used)
    said = refused(lambda: stage(run, redis_client, shelves, SETTINGS, Provenance(10, "")))
    assert said.startswith("stage of shop: the disk under ")
    assert not list(disk.path.rglob("*.partial"))
    live = generations.current(redis_client, SHOP)
    assert live is not None
    assert live.generation == 1


@pytest.mark.parametrize("closed", [False, True], ids=["full", "read-only"])
def test_a_collection_with_no_room_loses_nothing(
    disk: Disk, redis_client: Redis, closed: bool
) -> None:
    log = disk.path / "log"
    track(redis_client, "first")
    assert gather(redis_client, log).n_events == 1
    before = sorted(disk.path.rglob("*"))
    track(redis_client, *map(str, range(500)), ts="2026-03-01T00:00:00+00:00")
    disk.close() if closed else disk.resize(disk.n_used)
    said = refused(lambda: gather(redis_client, log))
    assert "No event is lost" in said
    assert sorted(disk.path.rglob("*")) == before
    disk.open() if closed else disk.resize(64 * 2**20)
    assert gather(redis_client, log).n_events == 500
    assert len(event_ids(log)) == 501
    assert redis_client.xlen(KEY) == 0


@pytest.mark.parametrize("closed", [False, True], ids=["full", "read-only"])
def test_merging_with_no_room_leaves_the_log(disk: Disk, redis_client: Redis, closed: bool) -> None:
    log, now = disk.path / "log", datetime.now(UTC) + timedelta(days=2)
    for part in range(5):
        track(redis_client, *(f"{part}-{at}" for at in range(200)))
        gather(redis_client, log, CollectSettings(claim_after_s=0))
    before = sorted(disk.path.rglob("*"))
    disk.close() if closed else disk.resize(disk.n_used)
    assert "The log is as it was" in refused(lambda: compact(log, CompactSettings(), now=now))
    assert sorted(disk.path.rglob("*")) == before
    disk.open() if closed else disk.resize(64 * 2**20)
    assert compact(log, CompactSettings(), now=now).n_merged == 5
    assert {pq.read_table(path).num_rows for path in log.rglob("merged-*")} == {1000}
