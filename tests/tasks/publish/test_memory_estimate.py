"""The estimate of a generation's memory, against the server's own figure."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from redis import Redis

from nightshelf.admin import generations
from nightshelf.contract.keys import Keys
from tasks.artifacts.records import Provenance
from tasks.errors import NoRoom
from tasks.publish.memory_estimate import estimate_memory
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import open_run, stage
from tests.tasks.small_models import AS_OF, make_shelves

N_USERS = 6_000


def used(client: Redis) -> int:
    return int(client.info("memory")["used_memory"])


def test_the_estimate_is_within_ten_percent(own_redis_client: Redis, tmp_path: Path) -> None:
    run = open_run(own_redis_client, "shop", AS_OF, tmp_path)
    shelves = make_shelves(run, N_USERS)
    found = estimate_memory(run, own_redis_client, shelves)
    before = used(own_redis_client)
    stage(run, own_redis_client, shelves, PublishSettings(), Provenance(10, ""))
    taken = used(own_redis_client) - before
    print(f"estimated {found.n_bytes:,}, taken {taken:,}: {found.n_bytes / taken - 1:+.1%}")
    assert found.n_bytes == pytest.approx(taken, rel=0.1)
    assert found.n_free is None, "no limit is set"
    assert sum(found.families.values()) == found.n_bytes


def test_a_block_of_users_without_lists_is_no_hindrance(
    redis_client: Redis, tmp_path: Path
) -> None:
    run = open_run(redis_client, "shop", AS_OF, tmp_path)
    shelves = make_shelves(run)
    whole = estimate_memory(run, redis_client, shelves)
    lists = pq.read_table(shelves[0].path)
    with pq.ParquetWriter(shelves[0].path, lists.schema) as writer:
        writer.write_table(lists.slice(0, 0))  # a row group of its own
        writer.write_table(lists)
    assert estimate_memory(run, redis_client, shelves) == whole


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru", "volatile-ttl"])
def test_what_does_not_fit_is_refused_before_the_first_key(
    policy: str, own_redis_client: Redis, tmp_path: Path
) -> None:
    client = own_redis_client
    run = open_run(client, "shop", AS_OF, tmp_path)
    shelves = make_shelves(run, N_USERS)
    need = estimate_memory(run, client, shelves).n_bytes
    client.config_set("maxmemory-policy", policy)
    client.config_set("maxmemory", used(client) + need)
    with pytest.raises(NoRoom) as refused:
        estimate_memory(run, client, shelves)
    assert f"needs {need * 1.1 / 1e6:,.1f} MB and Redis has " in str(refused.value)
    assert ("would evict live lists" in str(refused.value)) == (policy != "noeviction")
    assert not client.keys(Keys("shop").generation(1).pattern)
    assert not generations.listing(client, "shop")

    client.config_set("maxmemory", used(client) + round(need * 1.2))
    assert estimate_memory(run, client, shelves).n_free is not None
