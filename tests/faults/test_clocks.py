"""Publishers whose clock is wrong by hours: ages in Redis are by its own clock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from nightshelf import Shelf
from nightshelf.admin import generations
from nightshelf.admin.canary import release
from nightshelf.admin.lifecycle import rollback
from nightshelf.admin.retention import extend, orphans, retire
from nightshelf.contract.values import Manifest, instant
from nightshelf.doctor.examine import examine
from tasks.artifacts.records import Provenance
from tasks.publish.go_live import clear_orphans, flip
from tasks.publish.stage import open_run, read_back, stage
from tasks.runs.run_folder import Run
from tests.faults.nights import SETTINGS, SHOP, manifest_of, night, shelves_of
from tests.faults.skewed import skew
from tests.lookup.shelves import settle
from tests.tasks.small_models import AS_OF

N_USERS = 20
SKEWS = [-7, 7, -24 * 400]


def off_s(text: str) -> float:
    """Return how far a time in a manifest is from the real one."""
    at = instant(text)
    assert at is not None
    return abs((datetime.now(UTC) - at).total_seconds())


@pytest.mark.parametrize("hours", SKEWS)
def test_what_a_publisher_with_a_wrong_clock_stages_is_let_be(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    night(redis_client, tmp_path, N_USERS)
    settle(redis_client)
    run = open_run(redis_client, SHOP, AS_OF, tmp_path)
    shelves = shelves_of(run, N_USERS)
    cleared = []

    def another_night_begins(done: int, total: int) -> None:
        monkeypatch.undo()  # on a host whose clock is right
        cleared.append(clear_orphans(Run(SHOP, 0, AS_OF, tmp_path), redis_client))

    skew(monkeypatch, hours)
    staged = stage(
        run, redis_client, shelves, SETTINGS, Provenance(10, ""), progress=another_night_begins
    )
    assert cleared
    assert {each.n_generations for each in cleared} == {0}
    read_back(run, redis_client, shelves, staged, SETTINGS)
    flip(run, redis_client)
    assert Shelf(redis_client, SHOP).get("u0001").generation == run.generation


@pytest.mark.parametrize("hours", SKEWS)
def test_a_night_with_a_wrong_clock_clears_what_is_dead_and_nothing_else(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    night(redis_client, tmp_path, N_USERS)
    settle(redis_client)
    now = datetime.now(UTC)
    young, dead = (generations.allot(redis_client, SHOP) for _ in range(2))
    for number, age in ((young, timedelta(hours=5)), (dead, timedelta(hours=7))):
        staged_at = (now - age).isoformat(timespec="seconds")
        half = Manifest(number, AS_OF.isoformat(), staged_at=staged_at)
        generations.stage(redis_client, SHOP, half)
    skew(monkeypatch, hours)
    assert [each.generation for each in orphans(redis_client, SHOP)] == [dead]
    assert clear_orphans(Run(SHOP, 0, AS_OF, tmp_path), redis_client).n_generations == 1


@pytest.mark.parametrize("hours", SKEWS)
def test_every_time_in_a_manifest_is_by_the_clock_of_redis(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    skew(monkeypatch, hours)
    for _ in range(3):
        night(redis_client, tmp_path, N_USERS)
    waiting = open_run(redis_client, SHOP, AS_OF, tmp_path)
    stage(waiting, redis_client, shelves_of(waiting, N_USERS), SETTINGS, Provenance(10, ""))
    release(redis_client, SHOP, waiting.generation, 50)
    settle(redis_client)
    extend(redis_client, SHOP, 2, ttl_s=2 * SETTINGS.ttl_s)
    retire(redis_client, SHOP, 1)
    monkeypatch.undo()
    live = generations.current(redis_client, SHOP)
    assert live is not None
    assert live.canary is not None
    written = [live.staged_at, live.published_at, live.canary.since]
    written += [manifest_of(redis_client, 2).extended_at, manifest_of(redis_client, 1).retired_at]
    assert max(map(off_s, written)) < 60


@pytest.mark.parametrize("hours", SKEWS)
def test_operators_whose_clock_is_wrong_see_and_do_the_same(
    redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    for _ in range(2):
        night(redis_client, tmp_path, N_USERS)
    settle(redis_client)
    right = examine(redis_client, SHOP, 86_400)
    skew(monkeypatch, hours)
    status = Shelf(redis_client, SHOP).status()
    assert status.age_s is not None
    assert status.age_s < 60
    found = examine(redis_client, SHOP, 86_400)
    timed = ("life", "age", "way back", "staging")
    assert [found[name].outcome for name in timed] == [right[name].outcome for name in timed]
    assert found["clock"].outcome == "fail"
    assert rollback(redis_client, SHOP).generation == 1
