"""Peers that publishing is measured against."""

import json
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
from redis import Redis

from nightshelf.contract.keys import key_ttl_s
from tasks.publish.keyspace import Family


def pipe(url: str, ready: Path, n_keys: int) -> None:
    """Feed ready bytes to `redis-cli --pipe`."""
    with ready.open("rb") as stream:
        done = subprocess.run(
            ["redis-cli", "-u", url, "--pipe"], stdin=stream, capture_output=True, check=True
        )
    assert f"errors: 0, replies: {n_keys}".encode() in done.stdout


def as_people_write_it(client: Redis, shelves: tuple[Family, ...], base_ttl_s: int) -> float:
    """Write the same with `json.dumps` and a pipeline of redis-py, 1,000 keys at a time.

    Returns the seconds until the rows were dicts.
    """
    reading_s = 0.0
    for family in shelves:
        with pq.ParquetFile(family.path) as parquet:
            started = time.perf_counter()
            for batch in parquet.iter_batches(1_000):
                rows = batch.to_pylist()
                reading_s += time.perf_counter() - started
                pipeline = client.pipeline(transaction=False)
                for row in rows:
                    key = family.keys.of(row.pop(family.id_column))
                    ttl_s = key_ttl_s(family.name, key, base_ttl_s)
                    pipeline.set(key, json.dumps(row, default=str), ex=ttl_s)
                pipeline.execute()
                started = time.perf_counter()
    return reading_s


def processor_s(client: Redis) -> float:
    """Return the seconds that the server's processor has worked, for itself and for the system."""
    used = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])
