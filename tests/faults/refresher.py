"""A refresh in a process of its own, to be killed: `python -m tests.faults.refresher URL ROOT`.

It serves a user a block, says so after each, and goes on when a line comes on stdin.
"""

import sys
from pathlib import Path

from redis import Redis

from tasks.refresh.refresh import refresh_lists
from tasks.refresh.served_generation import open_served
from tasks.refresh.settings import RefreshSettings
from tests.tasks.refresh.collected_events import NOW, SHOP


def served(done: int, total: int) -> None:
    print(f"{done} {total}", flush=True)
    sys.stdin.readline()


def main(url: str, root: Path) -> None:
    client = Redis.from_url(url)
    for each in open_served(client, SHOP, root):
        settings = RefreshSettings(max_block_users=1)
        refresh_lists(client, each, root / "events", settings, NOW, progress=served)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
