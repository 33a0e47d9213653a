"""Generations that have lost keys: none counts as whole, so that nothing goes back to one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from nightshelf.admin.canary import release
from nightshelf.admin.erasure import forget
from nightshelf.admin.lifecycle import pin, promote, rollback
from nightshelf.admin.wholeness import lack, whole
from nightshelf.contract.keys import Keys
from nightshelf.contract.values import Manifest
from nightshelf.errors import TransitionRefused
from tasks.artifacts.records import Provenance
from tasks.evaluation.gate_step import overlap_with
from tasks.publish.stage import open_run, stage
from tests.faults.nights import SETTINGS, SHOP, manifest_of, night, shelves_of, user
from tests.lookup.shelves import record
from tests.tasks.small_models import AS_OF

N_USERS = 30
KEYS = Keys(SHOP)


def keys_of(client: Redis, generation: int, family: str = "") -> list[bytes]:
    return sorted(client.scan_iter(f"{KEYS.prefix(generation)}{family}*"))


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(TransitionRefused) as error:
        act()
    return str(error.value)


@pytest.fixture
def nights(redis_client: Redis, tmp_path: Path) -> Redis:
    """A server with a previous and a live generation, and a third that is staged."""
    for _ in range(2):
        night(redis_client, tmp_path, N_USERS)
    run = open_run(redis_client, SHOP, AS_OF, tmp_path)
    stage(run, redis_client, shelves_of(run, N_USERS), SETTINGS, Provenance(10, ""))
    return redis_client


def test_two_keys_left_are_no_generation(nights: Redis, tmp_path: Path) -> None:
    every = {number: keys_of(nights, number) for number in (1, 2, 3)}
    for number in (1, 2, 3):
        kept = [KEYS.popular(number, "all").encode(), KEYS.list(number, "als", user(1)).encode()]
        nights.unlink(*(key for key in every[number] if key not in kept))
        assert not whole(nights, SHOP, manifest_of(nights, number))
    said = refused(lambda: rollback(nights, SHOP, to=1))
    assert said == f"keys of generation 1 have left Redis: 0 of {N_USERS} of family item are left"
    for act in (
        lambda: pin(nights, SHOP, 1),
        lambda: promote(nights, SHOP, 3),
        lambda: release(nights, SHOP, 3, 5),
    ):
        assert "have left Redis" in refused(act)
    assert "no older whole generation" in refused(lambda: rollback(nights, SHOP))
    lists = tmp_path / SHOP / "3/lists/lists.parquet"
    live = manifest_of(nights, 2)
    run = open_run(nights, SHOP, AS_OF, tmp_path)
    assert overlap_with(live, run, nights, lists) == {}, "nothing is left to compare with"


@pytest.mark.parametrize("family", ["list", "popular:category", "similar", "user", "item"])
def test_one_key_less_of_any_family_is_a_loss(nights: Redis, family: str) -> None:
    assert whole(nights, SHOP, manifest_of(nights, 1))
    nights.unlink(keys_of(nights, 1, family)[0])
    said = lack(nights, SHOP, manifest_of(nights, 1))
    assert said is not None
    assert family.partition(":")[0] in said
    assert rollback_goes_nowhere(nights)


def rollback_goes_nowhere(client: Redis) -> bool:
    return "no older whole generation" in refused(lambda: rollback(client, SHOP))


def test_users_who_were_forgotten_are_no_loss(nights: Redis) -> None:
    for at in range(10):
        forget(nights, SHOP, user(at))
    forget(nights, SHOP, user(0))
    forget(nights, SHOP, "nobody")
    assert whole(nights, SHOP, manifest_of(nights, 1))
    nights.unlink(KEYS.list(1, "als", user(20)), *keys_of(nights, 1, "list")[:10])
    assert not whole(nights, SHOP, manifest_of(nights, 1))


def test_what_the_refresh_has_added_hides_no_loss(nights: Redis) -> None:
    for at in range(2 * N_USERS):
        nights.set(KEYS.list(1, "als", f"new{at}"), "{}", ex=600)
        nights.set(KEYS.user(1, f"new{at}"), "{}", ex=600)
    nights.hset(KEYS.refreshed(1), "added", 4 * N_USERS)
    assert whole(nights, SHOP, manifest_of(nights, 1))
    for at in range(N_USERS):
        nights.unlink(KEYS.list(1, "als", user(at)), KEYS.user(1, user(at)))
    assert "of family all are left" in str(lack(nights, SHOP, manifest_of(nights, 1)))


def test_of_a_big_database_a_part_is_enough(
    redis_client: Redis, figure: Callable[[int, str], None]
) -> None:
    """200,000 keys of a generation among as many of another: a quarter of all is looked at."""
    n = 200_000
    make = "for i = 1, ARGV[2] do redis.call('SET', ARGV[1] .. i, '', 'EX', 100000) end"
    for generation in (1, 2):
        prefix = KEYS.list(generation, "als", "u")
        redis_client.eval(make, 0, prefix, n)
        redis_client.set(KEYS.popular(generation, "all"), "{}", ex=100_000)
    counts = {"list": n, "popular": 1}
    now = "2999-01-01T00:00:00+00:00"
    manifest = Manifest(1, now, staged_at=now, counts=counts, digest="d")
    record(redis_client, manifest)
    assert whole(redis_client, SHOP, manifest)
    redis_client.config_resetstat()
    assert whole(redis_client, SHOP, manifest)
    n_scans = redis_client.info("commandstats")["cmdstat_scan"]["calls"]
    assert n_scans <= 100
    lost = "for i = 1, ARGV[2], 10 do redis.call('UNLINK', ARGV[1] .. i) end"
    redis_client.eval(lost, 0, KEYS.list(1, "als", "u"), n)
    assert not whole(redis_client, SHOP, manifest), "one in ten is gone"
    assert whole(redis_client, SHOP, replace(manifest, generation=2))
    figure(15, f"{n:,} keys among {2 * n:,}: wholeness by {n_scans} SCANs, 10 % lost are noticed")
