"""Faults 6 and 12: what is done by hand while readers read at a constant rate."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from nightshelf.admin.lifecycle import rollback
from nightshelf.admin.retention import retire
from nightshelf.errors import TransitionRefused
from tests.faults.nights import SHOP, eventually, limit_memory, live, night
from tests.faults.readers import Readers, reading
from tests.lookup.shelves import settle

N_USERS = 2_000
N_KEYS = 4 * N_USERS + 2
READS_PER_S = 1_000


def read_on(readers: Readers, n_answers: int) -> None:
    """Wait for so many more answers."""
    enough = readers.n_answers + n_answers
    eventually(lambda: readers.n_answers >= enough)
    assert readers.per_s > 0.9 * READS_PER_S


def retire_when_allowed(client: Redis, generation: int) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            return retire(client, SHOP, generation, force=True)
        except TransitionRefused as refused:
            assert refused.reason == "too-soon"
        time.sleep(0.01)
    raise AssertionError("it was too soon for 20 seconds")


def test_retiring_under_load(
    own_redis_client: Redis,
    own_redis_url: str,
    tmp_path: Path,
    figure: Callable[[int, str], None],
) -> None:
    client = own_redis_client
    night(client, tmp_path, N_USERS)
    with reading(own_redis_url, N_USERS, READS_PER_S) as readers:
        read_on(readers, READS_PER_S)
        night(client, tmp_path, N_USERS)
        assert retire_when_allowed(client, 1) == N_KEYS
        read_on(readers, READS_PER_S)
        assert (readers.missed, readers.mixed, readers.seen) == ([], [], {1, 2})

        # The wait set aside: the same readers miss, as soon as one is caught between two reads.
        for at in range(3, 10):
            night(client, tmp_path, N_USERS)
            settle(client)
            assert retire(client, SHOP, at - 1, force=True) == N_KEYS
            eventually(partial(readers.all_at, at))
            if readers.missed:
                break
    assert len(readers.missed) > 0
    figure(6, "retired as soon as allowed: 0 answers missed, 0 mixed; at once instead: many missed")


def test_a_rollback_under_load_at_maxmemory(
    own_redis_client: Redis,
    own_redis_url: str,
    tmp_path: Path,
    figure: Callable[[int, str], None],
) -> None:
    client = own_redis_client
    for _ in range(2):
        night(client, tmp_path, N_USERS)
    with reading(own_redis_url, N_USERS, READS_PER_S) as readers:
        read_on(readers, READS_PER_S)
        limit_memory(client, "noeviction", -1_000_000)
        with pytest.raises(OutOfMemoryError):
            client.set("any", "thing")
        started = time.monotonic()
        assert rollback(client, SHOP).generation == 1
        seconds = time.monotonic() - started
        assert live(client) == 1
        eventually(lambda: readers.all_at(1))
        read_on(readers, READS_PER_S)
    assert (readers.missed, readers.mixed, readers.seen) == ([], [], {1, 2})
    assert seconds < 1
    figure(12, "a plain SET is refused (OOM); rolled back in under 1 s, 0 answers missed, 0 mixed")
