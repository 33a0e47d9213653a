"""Generations whose items name their generation: made, published, asked for, checked."""

import time
from contextlib import closing
from pathlib import Path

import numpy as np
import orjson

from benchmarks._load import Verdict
from benchmarks._log import AS_OF
from benchmarks._night_files import LENGTH, make_night
from tasks.artifacts.records import Provenance
from tasks.publish.go_live import flip
from tasks.publish.keyspace import Family
from tasks.publish.redis_client import connect
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import open_run, read_back, stage
from tasks.runs.run_folder import Run

SHOP = "shop"
PAGE = 10
_SETTINGS = PublishSettings()


def prepare(url: str, root: Path, n_users: int) -> tuple[Run, tuple[Family, ...]]:
    """Write the next generation's files, and return them; Redis has its number and no more."""
    with closing(connect(url, _SETTINGS)) as client:
        run = open_run(client, SHOP, AS_OF, root)
    return run, make_night(run, n_users)


def publish(url: str, run: Run, shelves: tuple[Family, ...]) -> tuple[float, float]:
    """Stage, read back, flip; return when it began and when it ended, by the monotonic clock."""
    began = time.monotonic()
    with closing(connect(url, _SETTINGS)) as client:
        staged = stage(run, client, shelves, _SETTINGS, Provenance(LENGTH, ""))
        read_back(run, client, shelves, staged, _SETTINGS)
        flip(run, client)
    return began, time.monotonic()


def judge(status: int, body: bytes) -> Verdict:
    """Look at an answer: a full page, each of its items of the generation that it says it is of."""
    if status != 200:
        return Verdict(f"status {status}")
    answer = orjson.loads(body)
    items, generation = answer["recommendations"], answer["generation"]
    mark, fault = f"{generation}-", ""
    for item in items:
        if not item["item_id"].startswith(mark):
            fault = "mixed"
    if len(items) != PAGE:
        fault = f"{len(items)} items"
    return Verdict(fault, answer["source"], answer["cached"], generation or 0)


def requests(
    n_users: int, skew: float, n: int = 200_000, *, path: str = "recommendations"
) -> list[bytes]:
    """Return requests for users whose share falls with their rank to the power of `-skew`."""
    shares = np.arange(1, n_users + 1) ** -skew
    drawn = np.random.default_rng(7).choice(n_users, n, p=shares / shares.sum())
    each = [
        f"GET /{path}/user{at:07} HTTP/1.1\r\nHost: shelf\r\n\r\n".encode() for at in range(n_users)
    ]
    return [each[at] for at in drawn]
