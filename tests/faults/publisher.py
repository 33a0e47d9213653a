"""A publisher in a process of its own, to be killed or frozen.

`python -m tests.faults.publisher URL ROOT N_USERS` publishes one night. It says how far it is, a
line a batch (`written 50 8002`), and at each point of `POINTS` says so and waits for a line on
stdin. It ends with `live`, or with `refused` and the reason.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from redis import Redis

from nightshelf.errors import TransitionRefused
from tasks.artifacts.records import Provenance
from tasks.publish.go_live import flip
from tasks.publish.redis_client import connect
from tasks.publish.stage import open_run, read_back, stage
from tests.faults.nights import SETTINGS, SHOP, shelves_of
from tests.tasks.small_models import AS_OF

POINTS = ("all written", "before the flip", "inside the flip", "after the flip")
_SMALL = replace(SETTINGS, max_batch_keys=50)


def reached(point: str) -> None:
    say(point)
    sys.stdin.readline()


def say(text: str) -> None:
    print(text, flush=True)


def written(done: int, total: int) -> None:
    say(f"written {done} {total}")
    if done == total:
        reached("all written")


class Flipper(Redis):
    """A client that stops between looking at the world and changing it."""

    def eval(self, *args: Any) -> Any:
        reached("inside the flip")
        return super().eval(*args)


def main(url: str, root: Path, n_users: int) -> None:
    client = connect(url, _SMALL)
    run = open_run(client, SHOP, AS_OF, root)
    shelves = shelves_of(run, n_users)
    staged = stage(run, client, shelves, _SMALL, Provenance(10, ""), progress=written)
    read_back(run, client, shelves, staged, _SMALL)
    reached("before the flip")
    flip(run, Flipper.from_pool(client.connection_pool))
    reached("after the flip")
    say("live")


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    except TransitionRefused as refused:
        say(f"refused {refused.reason}")
