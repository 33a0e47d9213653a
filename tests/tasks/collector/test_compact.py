"""Compaction: fewer files, the same events, and no reader who misses one."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.collector import compact as compacting
from tasks.collector import log_files
from tasks.collector.compact import CompactSettings, compact
from tasks.collector.event_schema import EVENTS
from tasks.collector.log_files import own_files
from tests.tasks.collector.event_streams import event_ids, n_counted, put, rows_of
from tests.tasks.logs import flip_bit, read

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
YESTERDAY, TODAY = "date=2026-03-03", "date=2026-03-04"
FEW = CompactSettings(max_files_today=3)


def tracked(log: Path, day: str, number: int, *ids: str) -> Path:
    """Write a file as a collector does, of events a second apart."""
    at = datetime.fromisoformat(day.removeprefix("date=")).replace(tzinfo=UTC)
    times = {each: at + timedelta(seconds=number + late) for late, each in enumerate(ids)}
    name = f"tracked-{number}-0_{number}-{len(ids)}-{number:016x}.parquet"
    return put(log / day / name, times, EVENTS)


def names(log: Path, day: str) -> list[str]:
    return sorted(path.name for path in (log / day).iterdir())


def later(s: float = 3600) -> datetime:
    """Return a time so long after the files were written."""
    return datetime.now(UTC) + timedelta(seconds=s)


def test_small_files_become_one_and_go_an_hour_later(tmp_path: Path) -> None:
    old = [tracked(tmp_path, YESTERDAY, n, f"a{n}", f"b{n}").name for n in (2, 10, 1)]
    done = compact(tmp_path, FEW, now=NOW)
    assert (done.n_merged, done.n_doubles, done.n_deleted, done.broken) == (3, 0, 0, {})
    (merged,) = set(names(tmp_path, YESTERDAY)) - set(old)
    assert merged.startswith("merged-1-0_10-2-")
    again = compact(tmp_path, FEW, now=later(3500))
    assert (again.n_merged, again.n_deleted) == (0, 0)
    assert compact(tmp_path, FEW, now=later(3601)).n_deleted == 3
    assert names(tmp_path, YESTERDAY) == [merged]
    rows = read(tmp_path / YESTERDAY / merged)
    assert [row["event_id"] for row in rows] == ["a1", "a2", "b1", "b2", "a10", "b10"]
    assert [row["ts"] for row in rows] == sorted(row["ts"] for row in rows)
    assert pq.read_schema(tmp_path / YESTERDAY / merged).equals(EVENTS)
    assert compact(tmp_path, FEW, now=later(9999)).n_deleted == 0


def test_todays_files_wait_until_there_are_more(tmp_path: Path) -> None:
    for n in range(3):
        tracked(tmp_path, TODAY, n, f"e{n}")
    assert compact(tmp_path, FEW, now=NOW).n_merged == 0
    tracked(tmp_path, TODAY, 3, "e3")
    assert compact(tmp_path, FEW, now=NOW).n_merged == 4
    tracked(tmp_path, TODAY, 4, "e4")
    assert compact(tmp_path, FEW, now=NOW).n_merged == 0, "what was merged is no file more"
    assert compact(tmp_path, FEW, now=NOW + timedelta(hours=12)).n_merged == 2


def test_one_event_stays_of_each_that_which_arrived_first(tmp_path: Path) -> None:
    tracked(tmp_path, YESTERDAY, 5, "a", "b")
    tracked(tmp_path, YESTERDAY, 1, "x", "a")
    tracked(tmp_path, YESTERDAY, 3, "a", "x")
    assert compact(tmp_path, FEW, now=NOW).n_doubles == 3
    compact(tmp_path, FEW, now=later(3601))
    found = {row["event_id"]: row["arrived_at"].second for row in rows_of(tmp_path)}
    assert found == {"x": 1, "a": 2, "b": 6}


def test_files_of_before_experiments_merge_with_later_ones(tmp_path: Path) -> None:
    at = datetime(2026, 3, 3, tzinfo=UTC)
    names = [name for name in EVENTS.names if name not in ("experiment", "phase")]
    old = pa.schema([EVENTS.field(name) for name in names])
    put(tmp_path / YESTERDAY / "tracked-1-0_1-1-0000000000000001.parquet", {"a": at}, old)
    exposed = {"experiment": "exp-1", "variant": "b", "phase": 2}
    row = dict.fromkeys(EVENTS.names) | exposed | {"event_id": "b", "ts": at + timedelta(seconds=1)}
    new = tmp_path / YESTERDAY / "tracked-2-0_2-1-0000000000000002.parquet"
    pq.write_table(pa.Table.from_pylist([row], EVENTS), new)
    done = compact(tmp_path, FEW, now=NOW)
    assert (done.n_merged, done.broken) == (2, {})
    (merged,) = tmp_path.rglob("merged-*.parquet")
    assert pq.read_schema(merged).equals(EVENTS)
    found = [{name: each[name] for name in exposed} for each in read(merged)]
    assert found == [dict.fromkeys(exposed), exposed]


def test_large_files_are_let_be(tmp_path: Path) -> None:
    choose = random.Random(0)
    for n in range(7):
        ids = [f"{choose.getrandbits(128):032x}" for _ in range(500)]
        size = tracked(tmp_path, YESTERDAY, n, *ids).stat().st_size
    pairs = CompactSettings(max_file_bytes=round(2.5 * size))
    assert compact(tmp_path, pairs, now=NOW).n_merged == 6  # three pairs, and one alone
    assert compact(tmp_path, pairs, now=later(3601)).n_merged == 0
    assert len(names(tmp_path, YESTERDAY)) == 4
    assert len(set(event_ids(tmp_path))) == 3500
    small = CompactSettings(max_file_bytes=size)
    assert compact(tmp_path, small, now=NOW).n_merged == 0


def test_what_a_shop_wrote_itself_is_not_touched(tmp_path: Path) -> None:
    folder = (tmp_path / YESTERDAY).resolve()
    for name in ("part-0.parquet", "tracked-1-0_1-0-abc.parquet", "merged.parquet"):
        put(folder / name, {"e": NOW}, EVENTS)
    before = names(tmp_path, YESTERDAY)
    assert compact(tmp_path, FEW, now=later(9999)).n_merged == 0
    assert names(tmp_path, YESTERDAY) == before
    assert own_files(folder) == []
    put(tmp_path / "date=all.parquet", {"e": NOW}, EVENTS)
    assert compact(tmp_path / "nowhere", FEW, now=NOW).n_merged == 0


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for root in (tmp_path / "one", tmp_path / "two"):
        numbers = list(range(5))
        random.Random(str(root)).shuffle(numbers)
        for n in numbers:
            tracked(root, YESTERDAY, n, f"a{n}", "same")
        compact(root, FEW, now=NOW)
        contents.append({path.name: path.read_bytes() for path in (root / YESTERDAY).iterdir()})
    assert contents[0] == contents[1]


def test_a_merged_file_that_says_nothing_replaces_nothing(tmp_path: Path) -> None:
    for n in range(2):
        path = tracked(tmp_path, YESTERDAY, n, f"e{n}")
        path.rename(path.with_name(path.name.replace("tracked", "merged")))
    assert compact(tmp_path, FEW, now=later(9999)).n_merged == 2
    assert compact(tmp_path, FEW, now=later(9999)).n_deleted == 2
    assert event_ids(tmp_path) == ["e0", "e1"]


@pytest.mark.parametrize("damaged", ["a file", "the merged one", "the merged one's end"])
def test_nothing_is_deleted_for_what_cannot_be_read(tmp_path: Path, damaged: str) -> None:
    first = tracked(tmp_path, YESTERDAY, 1, "a")
    tracked(tmp_path, YESTERDAY, 2, "b")
    if damaged == "a file":
        flip_bit(first, "user_id")
    else:
        compact(tmp_path, FEW, now=NOW)
        (merged,) = (tmp_path / YESTERDAY).glob("merged-*")
        if damaged == "the merged one":
            flip_bit(merged, "user_id")
        else:
            merged.write_bytes(merged.read_bytes()[:-9])
    before = names(tmp_path, YESTERDAY)
    tracked(tmp_path, TODAY.replace("04", "02"), 3, "c")
    tracked(tmp_path, TODAY.replace("04", "02"), 4, "d")
    done = compact(tmp_path, FEW, now=later(3601))
    assert (list(done.broken), done.n_merged) == ([str(tmp_path / YESTERDAY)], 2)
    assert names(tmp_path, YESTERDAY) == before


def test_what_writers_that_died_had_begun_is_deleted_in_time(tmp_path: Path) -> None:
    tracked(tmp_path, YESTERDAY, 1, "a")
    partial = tmp_path / YESTERDAY / ".tracked-2-0_2-0-0.parquet.123.partial"
    partial.write_bytes(b"PAR1")
    assert compact(tmp_path, FEW, now=later(3000)).n_deleted == 0
    assert compact(tmp_path, FEW, now=later(3601)).n_deleted == 1
    assert not partial.exists()


def test_who_reads_meanwhile_misses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a reader has listed, at whatever step, it can open now and finds every event in."""
    log, expected = tmp_path / "log", {f"e{n}" for n in range(12)}
    listings: dict[tuple[Path, ...], None] = {}
    checked = 0

    def look() -> None:
        nonlocal checked
        listings[tuple(sorted(log.glob("date=*/*.parquet")))] = None
        for listing in listings:
            assert {each for path in listing for each in seen(path)} == expected
            checked += 1

    def looking(whole: Callable[..., Any]) -> Callable[..., Any]:
        def looked(*args: Any) -> Any:
            look()
            done = whole(*args)
            look()
            return done

        return looked

    for name in ("_read", "write_durably", "_groups"):
        monkeypatch.setattr(compacting, name, looking(getattr(compacting, name)))
    for n in range(12):
        tracked(log, YESTERDAY if n % 2 else TODAY, n, f"e{n}")
    for _ in range(2):
        compact(log, FEW, now=later(1))
    assert (checked > 30, len(listings)) == (True, 3)
    assert n_counted(log, tmp_path / "night") == 12


def seen(path: Path) -> list[str]:
    table = pq.read_table(path, columns=["event_id"], partitioning=None)
    found: list[str] = table["event_id"].to_pylist()
    return found


def test_two_at_once_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"e{n}" for n in range(6)]
    for n, event_id in enumerate(ids):
        tracked(tmp_path, YESTERDAY, n, event_id)
    at_once = CompactSettings(keep_replaced_s=0)
    write = log_files.write_durably

    def overtaken(*args: Any) -> None:
        monkeypatch.setattr(compacting, "write_durably", write)
        for _ in range(2):
            compact(tmp_path, at_once, now=later(1))
        assert len(names(tmp_path, YESTERDAY)) == 1
        write(*args)

    monkeypatch.setattr(compacting, "write_durably", overtaken)
    compact(tmp_path, at_once, now=later(1))
    assert event_ids(tmp_path) == ids
    assert len(names(tmp_path, YESTERDAY)) == 1


def test_a_file_that_vanishes_is_left_to_who_took_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        tracked(tmp_path, YESTERDAY, n, f"e{n}")
    listed = log_files.own_files

    def vanishing(folder: Path) -> Any:
        files = listed(folder)
        files[1].path.unlink()
        return files

    monkeypatch.setattr(compacting, "own_files", vanishing)
    done = compact(tmp_path, FEW, now=NOW)
    assert (done.n_merged, done.broken) == (0, {})
