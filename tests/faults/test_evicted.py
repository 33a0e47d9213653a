"""Fault 5: there is no room for two generations, and the server may evict the live one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from nightshelf.errors import TransitionRefused
from tasks.artifacts.records import Provenance
from tasks.errors import NoRoom, VerificationError
from tasks.publish.go_live import flip
from tasks.publish.keyspace import Family
from tasks.publish.memory_estimate import estimate_memory
from tasks.publish.stage import open_run, read_back, stage
from tasks.runs.run_folder import Run
from tests.faults.nights import SETTINGS, SHOP, contents, live, n_lost, night, shelves_of
from tests.tasks.small_models import AS_OF

N_USERS = 1_500
ROOM = 1.3


def policies(client: Redis) -> list[str]:
    """Return every eviction policy that this server knows, as it says itself."""
    with pytest.raises(ResponseError) as refused:
        client.config_set("maxmemory-policy", "none such")
    return sorted(str(refused.value).rpartition(":")[2].replace(",", " ").split())


def used(client: Redis) -> int:
    return int(client.info("memory")["used_memory"])


def first_night(client: Redis, root: Path) -> tuple[dict[str, bytes], int]:
    """Publish to an empty server without a limit; return the keys and the bytes they take."""
    client.config_set("maxmemory", 0)
    # In one go: what is still being freed would count as used.
    client.execute_command("FLUSHALL", "SYNC")  # type: ignore[no-untyped-call]
    before = used(client)
    values = contents(shelves_of(night(client, root, N_USERS), N_USERS))
    return values, used(client) - before


def limit(client: Redis, policy: str, n_bytes: int, room: float) -> None:
    client.config_set("maxmemory-policy", policy)
    client.config_set("maxmemory", used(client) + round((room - 1) * n_bytes))


def skip_estimate(run: Run, client: Redis, shelves: tuple[Family, ...]) -> None:
    """Stand in for `estimate_memory` where nobody asks."""


def attempt(client: Redis, root: Path, estimate: Callable[..., object]) -> str:
    """Run the publishing half of a night; return what ended it."""
    run = open_run(client, SHOP, AS_OF, root)
    shelves = shelves_of(run, N_USERS)
    try:
        estimate(run, client, shelves)
        staged = stage(run, client, shelves, SETTINGS, Provenance(10, ""))
        read_back(run, client, shelves, staged, SETTINGS)
        flip(run, client)
    except (NoRoom, OutOfMemoryError, TransitionRefused, VerificationError) as error:
        return type(error).__name__
    return "live"


def test_the_estimate_refuses_under_every_policy(
    own_redis_client: Redis, tmp_path: Path, figure: Callable[[int, str], None]
) -> None:
    client = own_redis_client
    values, n_bytes = first_night(client, tmp_path)
    every = policies(client)
    assert {"noeviction", "allkeys-lru", "volatile-ttl"} < set(every)
    for policy in every:
        limit(client, policy, n_bytes, ROOM)
        assert attempt(client, tmp_path, estimate_memory) == "NoRoom"
        assert (live(client), n_lost(client, values)) == (1, 0)
    limit(client, "noeviction", n_bytes, 2.3)
    assert attempt(client, tmp_path, estimate_memory) == "live"
    assert n_lost(client, values) == 0
    figure(5, f"{len(every)} policies: {len(every)} refused by the estimate, 0 live keys lost")


def test_what_it_costs_not_to_ask(
    own_redis_client: Redis, tmp_path: Path, figure: Callable[[int, str], None]
) -> None:
    """Without the estimate reading back finds what is gone, but too late for the live lists.

    It may even find the new generation whole, and the pointer may be among what was evicted.
    """
    client = own_redis_client
    ends, lost = {}, {}
    for policy in policies(client):
        values, n_bytes = first_night(client, tmp_path)
        limit(client, policy, n_bytes, ROOM)
        ends[policy] = attempt(client, tmp_path, skip_estimate)
        lost[policy] = n_lost(client, values) / len(values)
        print(f"{policy}: {ends[policy]}, {lost[policy]:.0%} lost, {live(client)} live")
    assert (ends.pop("noeviction"), lost.pop("noeviction")) == ("OutOfMemoryError", 0)
    assert "OutOfMemoryError" not in ends.values()
    assert min(lost.values()) > 0.25
    figure(
        5,
        "the estimate left out: noeviction stops with OutOfMemoryError, 0 live keys lost; the "
        f"{len(lost)} others evict over a quarter of the live keys each",
    )
