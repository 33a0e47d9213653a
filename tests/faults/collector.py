"""Collectors that die, each in a process of its own.

`python -m tests.faults.collector URL LOG` reads lines from stdin: a point of `POINTS`, a tab, and
how often that is passed. Each is the death of one collector, which is killed (kill -9) there; how
it ended is said in a line on stdout. Before that it collects, and then compacts twice, as in two
days' time and as if nothing that was merged were to be kept.

Collectors are forked, so that imports are paid for once.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pytest import MonkeyPatch
from redis import Redis

from tasks.collector import collect as collecting
from tasks.collector.collect import CollectSettings, collect
from tasks.collector.compact import CompactSettings, compact
from tasks.collector.event_schema import Entry
from tasks.collector.event_stream import EventStream

POINTS = (
    "written", "renamed", "before the acknowledgement", "acknowledged", "trimmed", "collected",
    "before a deletion", "deleted",
)  # fmt: skip
SHOP = "shop"

Reached = Callable[[str], None]


def dying_at(point: str, times: int) -> Reached:
    """Return a hook that kills its process the nth time it reaches a point."""
    passed: list[str] = []

    def reached(at: str) -> None:
        assert at in POINTS
        passed.append(at)
        if passed.count(point) == times:
            os.kill(os.getpid(), signal.SIGKILL)

    return reached


def main(url: str, log: Path, reached: Reached) -> None:
    class Stream(EventStream):
        def acknowledge(self, entries: list[Entry]) -> None:
            if entries:
                reached("before the acknowledgement")
                super().acknowledge(entries)
                reached("acknowledged")

        def trim(self) -> int:
            n_trimmed = super().trim()
            reached("trimmed")
            return n_trimmed

    replace, unlink = Path.replace, Path.unlink

    def replacing(path: Path, target: Path) -> None:
        reached("written")
        replace(path, target)
        reached("renamed")

    def unlinking(path: Path, missing_ok: bool = False) -> None:
        is_ours = not path.name.endswith(".partial")
        if is_ours:
            reached("before a deletion")
        unlink(path, missing_ok)
        if is_ours:
            reached("deleted")

    with MonkeyPatch.context() as patch:
        patch.setattr(collecting, "EventStream", Stream)
        patch.setattr(Path, "replace", replacing)
        patch.setattr(Path, "unlink", unlinking)
        collect(Redis.from_url(url), SHOP, log, CollectSettings(claim_after_s=0))
        reached("collected")
        for _ in range(2):
            soon = datetime.now(UTC) + timedelta(days=2)
            compact(log, CompactSettings(keep_replaced_s=0), now=soon)


def fork(url: str, log: Path, point: str, times: int) -> int:
    """Run a collector in a process of its own; return its exit code, or the signal below zero."""
    child = os.fork()
    if child == 0:
        try:
            main(url, log, dying_at(point, times))
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    for line in sys.stdin:
        where, _, nth = line.partition("\t")
        print(fork(sys.argv[1], Path(sys.argv[2]), where, int(nth)), flush=True)
