"""Fault 13: a collector dies at any point, and every event is in the log, once for the night."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from nightshelf import Event, Shelf
from tasks.collector.compact import CompactSettings, compact
from tests.conftest import ROOT
from tests.faults.collector import SHOP
from tests.tasks.collector.event_streams import entries_of, event_ids, gather, n_counted

N_EVENTS = 40
KillAt = Callable[[str, int], None]
#: Where it is killed: at a point for the nth time. There are two dates to write, and what the one
#: before it had left comes first.
KILLS = [
    ("written", 1),
    ("renamed", 1),
    ("written", 2),
    ("renamed", 2),
    ("before the acknowledgement", 1),
    ("before the acknowledgement", 2),
    ("acknowledged", 1),
    ("trimmed", 2),
    ("collected", 1),
    ("before a deletion", 1),
    ("deleted", 1),
    ("deleted", 3),
]


def track(client: Redis, batch: int) -> list[str]:
    """Tell of events of yesterday and of the day before; return their ids."""
    now = datetime.now(UTC)
    tracked = [
        Event(f"u{n}", "view", "i1", at=now - timedelta(days=1 + n % 2), event_id=f"{batch}-{n:02}")
        for n in range(N_EVENTS)
    ]
    assert Shelf(client, SHOP).record(tracked).recorded
    return [event.event_id for event in tracked]


@pytest.fixture
def kill_at(redis_url: str, tmp_path: Path) -> Iterator[KillAt]:
    """Lets a collector run up to a point, for the nth time, and kills it there."""
    command = [sys.executable, "-m", "tests.faults.collector", redis_url, str(tmp_path / "log")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:

        def kill(point: str, times: int) -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{point}\t{times}\n")
            process.stdin.flush()
            ended = process.stdout.readline()
            assert ended == f"{-signal.SIGKILL}\n", f"it ended by itself, before {point}: {ended}"

        yield kill


def test_a_collector_may_die_anywhere(
    redis_client: Redis, kill_at: KillAt, tmp_path: Path, figure: Callable[[int, str], None]
) -> None:
    log, tracked = tmp_path / "log", list[str]()
    for batch, (point, times) in enumerate(KILLS):
        tracked += track(redis_client, batch)
        kill_at(point, times)
        safe = set(event_ids(log)) | streamed(redis_client)
        assert safe == set(tracked), f"an event was in neither, killed when {point}"

    assert gather(redis_client, log).n_lost == 0
    n_rows = len(event_ids(log))
    assert set(event_ids(log)) == set(tracked)
    assert n_counted(log, tmp_path / "night") == len(tracked)
    soon = datetime.now(UTC) + timedelta(days=2)
    for _ in range(2):
        compact(log, CompactSettings(keep_replaced_s=0), now=soon)
    assert event_ids(log) == sorted(tracked), "compacted, each stands there once"
    assert not list(log.rglob(".*")), "nothing unfinished is left"
    figure(
        13,
        f"{len(KILLS)} kills, {len(tracked)} events tracked, 0 lost; {n_rows - len(tracked)} rows "
        "there twice, 0 counted twice by the night, none left after compaction",
    )


def streamed(client: Redis) -> set[str]:
    return {fields[b"event_id"].decode() for _, fields in entries_of(client)}


def test_killed_again_and_again_it_writes_the_same_files(
    redis_client: Redis, kill_at: KillAt, tmp_path: Path
) -> None:
    tracked = track(redis_client, 0)
    for _ in range(2):
        kill_at("before the acknowledgement", 1)
    assert gather(redis_client, tmp_path / "log").n_claimed == N_EVENTS
    assert event_ids(tmp_path / "log") == tracked
