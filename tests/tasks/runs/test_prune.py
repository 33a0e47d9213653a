"""Pruning: a run keeps its data for a reason, and its report without one."""

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshelf.admin.namespace_state import NamespaceState
from nightshelf.contract.values import Manifest
from tasks.errors import RunFolderError
from tasks.runs.prune import RunOnDisk, _reasons, prune, runs_on_disk
from tasks.runs.saved_run import LOG, require
from tasks.runs.settings import RunsSettings

NOW = datetime(2026, 7, 1, 3, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=40)
DATA = ("events.parquet", "lists/lists.parquet", "features/seen.npz", "model/blend/links.npz")
RECORDS = ("report.json", "report.html", "steps.jsonl", "model/blend/facts.json")


def state(manifests: Iterable[Manifest] = (), pinned: int | None = None) -> NamespaceState:
    return NamespaceState("shop", None, tuple(manifests), 0, pinned, 0, NOW)


def manifest(generation: int, name: str, staged_at: datetime = LONG_AGO) -> Manifest:
    return Manifest(
        generation, "2026-01-01T00:00:00+00:00", name, staged_at.isoformat(), ttl_s=3 * 86_400
    )


def make_run(root: Path, generation: int, as_of: datetime, written: datetime = LONG_AGO) -> Path:
    folder = root / "shop" / str(generation)
    for name in (*DATA, *RECORDS):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * 100)
    (folder / "made_from.json").write_text(json.dumps({"as_of": as_of.isoformat()}))
    os.utime(folder / "steps.jsonl", (written.timestamp(), written.timestamp()))
    return folder


def night(day: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)


def kept(root: Path, settings: RunsSettings, of: NamespaceState) -> dict[int, str]:
    return {each.generation: each.kept for each in runs_on_disk(root, of, settings, NOW)}


def test_each_reason_keeps_a_run(tmp_path: Path) -> None:
    for day in range(1, 13):
        make_run(tmp_path, day, night(14 * day))
    make_run(tmp_path, 3, night(42), written=NOW - timedelta(hours=47))
    manifests = [
        manifest(5, "previous"),
        manifest(6, "replaced", NOW - timedelta(days=2)),
        manifest(8, "replaced"),
    ]
    settings = RunsSettings(keep_last=2, keep_months=3, keep_written_h=48)
    assert kept(tmp_path, settings, state(manifests, pinned=4)) == {
        12: "one of the last 2",
        11: "one of the last 2",
        10: "the newest of 2026-05",
        9: "",
        8: "the newest of 2026-04",
        7: "",
        6: "replaced in Redis",
        5: "previous in Redis",
        4: "pinned in Redis",
        3: "written within 48 h",
        2: "",
        1: "",
    }


def test_data_goes_and_reports_stay(tmp_path: Path) -> None:
    old, new = make_run(tmp_path, 1, night(1)), make_run(tmp_path, 2, night(2))
    settings = RunsSettings(keep_last=1, keep_months=0)
    before = runs_on_disk(tmp_path, state(), settings, NOW)
    found = prune(before, NOW)
    assert (found.n_runs, found.n_bytes, found.warnings) == (1, 400, ())
    left = {str(path.relative_to(old)) for path in old.rglob("*") if path.is_file()}
    assert left == {*RECORDS, "made_from.json", "pruned.json"}
    assert not (old / "lists").exists()
    assert all((new / name).is_file() for name in (*DATA, *RECORDS))
    (after,) = (each for each in runs_on_disk(tmp_path, state(), settings, NOW) if not each.kept)
    assert (after.n_data_bytes, after.pruned) == (0, "2026-07-01T03:00:00+00:00")
    assert prune([after], NOW).n_runs == 0
    with pytest.raises(RunFolderError, match=r"its data was pruned.*nightshelf runs list"):
        require(old, LOG, "it cannot be republished")


def test_files_that_nights_share_are_counted_once(tmp_path: Path) -> None:
    one, two = make_run(tmp_path, 1, night(1)), make_run(tmp_path, 2, night(1))
    (two / "events.parquet").unlink()
    os.link(one / "events.parquet", two / "events.parquet")
    found = runs_on_disk(tmp_path, state(), RunsSettings(keep_last=1, keep_months=0), NOW)
    assert [each.n_data_bytes for each in found] == [350, 350]


def test_a_folder_that_cannot_be_cleared_is_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path, 1, night(1))
    make_run(tmp_path, 2, night(2))
    (folder / "pruned.json").mkdir()  # no note can be written
    found = prune(
        runs_on_disk(tmp_path, state(), RunsSettings(keep_last=1, keep_months=0), NOW), NOW
    )
    assert found.n_runs == 0
    assert f"{folder} could not be pruned" in found.warnings[0]
    assert (folder / "events.parquet").is_file()


RUNS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 100)), max_size=30)


@given(RUNS, st.integers(1, 5), st.integers(0, 5), st.integers(0, 72))
def test_what_is_kept_is_the_definition(
    given: list[tuple[int, int]], last: int, months: int, hours: int
) -> None:
    runs = [
        RunOnDisk(number, Path(), night(day), NOW - timedelta(hours=age), 1, 1, "")
        for number, (day, age) in enumerate(given, start=1)
    ]
    newest: dict[str, tuple[int, int]] = {}
    for number, (day, _) in enumerate(given, start=1):
        month = night(day).isoformat()[:7]
        newest[month] = max(newest.get(month, (0, 0)), (day, number))
    wanted = {newest[month][1] for month in sorted(newest, reverse=True)[:months]}
    wanted |= set(range(len(runs) - last + 1, len(runs) + 1))
    wanted |= {number for number, (_, age) in enumerate(given, start=1) if age < hours}
    found = _reasons(runs[::-1], state(), RunsSettings(True, last, months, hours), NOW)
    assert set(found) == wanted & set(range(1, len(runs) + 1))
