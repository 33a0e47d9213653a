"""The night's folder and its journal."""

import hashlib
import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tasks.artifacts import records
from tasks.runs.journal import computed, step
from tasks.runs.run_folder import Run, highest_generation, midnight

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Counted:
    """A record as steps return them."""

    path: Path
    n_rows: int
    share: float
    reasons: dict[str, int]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run("shop", 7, AS_OF, tmp_path)


def test_artifacts_have_a_folder_a_generation(run: Run, tmp_path: Path) -> None:
    path = run.path("features/users.parquet")
    assert path == tmp_path / "shop" / "7" / "features" / "users.parquet"
    assert path.parent.is_dir()
    assert not path.exists()


def test_a_smaller_night_has_a_folder_and_a_journal_of_its_own(run: Run, tmp_path: Path) -> None:
    eve = AS_OF - timedelta(days=7)
    inner = run.inside("backtest", eve)
    assert (inner.as_of, inner.generation, inner.namespace) == (eve, 7, "shop")
    inner.note("inner", 0.0, None)
    run.note("outer", 0.0, None)
    assert inner.folder == tmp_path / "shop" / "7" / "backtest"
    assert inner.inside("plain", eve).folder == inner.folder / "plain"
    assert [[line["step"] for line in each.steps()] for each in (run, inner)] == [
        ["outer"],
        ["inner"],
    ]


def test_steps_are_journalled_in_order_with_their_counts(run: Run) -> None:
    @step
    def count(run: Run, n: int, *, share: float) -> Counted:
        """Count."""
        return Counted(run.path("x"), n, share, {"bad": 1})

    @step
    def nothing(run: Run) -> None:
        """Do nothing."""

    assert count(run, 3, share=0.5) == Counted(run.path("x"), 3, 0.5, {"bad": 1})
    nothing(run)
    first, second = run.steps()
    assert first.pop("seconds") >= 0
    assert first.pop("peak_bytes") > 0
    assert first == {"step": "count", "n_rows": 3, "share": 0.5, "reasons": {"bad": 1}}
    assert second["step"] == "nothing"
    assert set(second) == {"step", "seconds", "peak_bytes"}
    assert (count.__name__, count.__doc__) == ("count", "Count.")


def test_a_step_that_fails_is_not_journalled_as_done(run: Run) -> None:
    @step
    def fail(run: Run) -> None:
        raise RuntimeError("no")

    run.note("before", 0.0, None)
    with pytest.raises(RuntimeError, match="no"):
        fail(run)
    assert [line["step"] for line in run.steps()] == ["before"]


def test_seconds_are_the_steps_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 12.3456])
    monkeypatch.setattr("tasks.runs.journal.time.perf_counter", lambda: next(clock))
    step(lambda run: None)(run)
    assert run.steps()[0]["seconds"] == 2.346


def test_a_journal_that_was_never_begun_is_empty(run: Run) -> None:
    assert run.journal() == run.steps() == []
    assert not run.folder.exists(), "looking makes no folder"


def test_a_line_that_a_crash_cut_short_is_left_out(run: Run) -> None:
    run.note("one", 1.0, None)
    run.note("two", 2.0, None)
    whole = run.path("steps.jsonl").read_bytes()
    end_of_one = whole.index(b"\n") + 1
    for length in range(len(whole)):
        run.path("steps.jsonl").write_bytes(whole[:length])
        assert [line["step"] for line in run.journal()] == ["one"] * (length >= end_of_one)


@computed
def write(run: Run, text: str) -> Counted:
    """Write a text."""
    run.path("deep/x").write_text(text)
    return Counted(run.path("deep/x"), len(text), 0.5, {"bad": 1})


def test_a_computed_step_is_journalled_with_its_record_and_its_files(run: Run) -> None:
    record = write(run, "abc")
    assert record == Counted(run.path("deep/x"), 3, 0.5, {"bad": 1})
    (line,) = run.journal()
    assert line.pop("seconds") >= 0
    assert line.pop("peak_bytes") > 0
    assert line == {
        "step": "write",
        "n_rows": 3,
        "share": 0.5,
        "reasons": {"bad": 1},
        "record": {"path": "deep/x", "n_rows": 3, "share": 0.5, "reasons": {"bad": 1}},
        "files": {"deep/x": hashlib.sha256(b"abc").hexdigest()},
    }
    (shown,) = run.steps()
    assert set(shown) == {"step", "seconds", "peak_bytes", "n_rows", "share", "reasons"}
    assert (write.__name__, write.__doc__) == ("write", "Write a text.")


def test_a_computed_step_is_done_unless_it_was_taken_over(run: Run, tmp_path: Path) -> None:
    write(run, "abc")
    write(run, "abcd")
    assert run.path("deep/x").read_text() == "abcd", "its own line keeps no step from being done"
    other = Run("shop", 8, AS_OF, tmp_path)
    other.append({"taken_from": 7, **run.journal()[-1]})
    assert write(other, "else") == Counted(other.path("deep/x"), 4, 0.5, {"bad": 1})
    assert not other.path("deep/x").exists()
    assert len(other.journal()) == 1


def test_a_computed_step_that_fails_is_not_journalled_as_done(run: Run) -> None:
    @computed
    def fail(run: Run) -> Counted:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        fail(run)
    assert run.journal() == []


#: Records of the steps that a run may take over.
KINDS = [records.CleanLog, records.Features, records.TrainedModel, records.Lists]
EXAMPLES: dict[Any, Any] = {
    int: 3,
    float | None: 0.9375,
    int | None: 41,
    str: "events.parquet",  # looks like a path, and is none
    tuple[str, ...]: ("too few", "too many"),
    dict[str, int]: {"bad \N{SNOWMAN}": 1},
    dict[str, str]: {"/log/a.parquet": "truncated"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_record_comes_back_equal_with_paths_in_the_new_folder(
    kind: type, run: Run, tmp_path: Path
) -> None:
    def record_in(where: Run) -> Any:
        paths = {each.name for each in fields(kind) if each.type is Path}
        values = {
            each.name: where.path(f"a/{each.name}") if each.name in paths else EXAMPLES[each.type]
            for each in fields(kind)
        }
        for name in paths:
            values[name].write_text(name)
        return kind(**values)

    def made(run: Run) -> object:
        return record_in(run)

    made.__annotations__["return"] = kind
    computed(made)(run)
    moved = Run("homepage", 8, AS_OF, tmp_path / "elsewhere")
    (line,) = run.journal()
    assert sorted(line["files"]) == sorted(
        f"a/{each.name}" for each in fields(kind) if each.type is Path
    )
    moved.append({"taken_from": 7, **json.loads(json.dumps(line))})
    assert computed(made)(moved) == record_in(moved)
    assert computed(made)(moved) != record_in(run)


def test_the_highest_generation_is_a_number_not_a_name(tmp_path: Path) -> None:
    assert highest_generation(tmp_path, "shop") == 0
    for name in ("2", "10", "9", "10.bak", ".11", "latest", "²"):
        (tmp_path / "shop" / name).mkdir(parents=True)
    (tmp_path / "homepage" / "99").mkdir(parents=True)
    assert highest_generation(tmp_path, "shop") == 10


@pytest.mark.parametrize(
    "now",
    [
        AS_OF,
        AS_OF + timedelta(hours=23, minutes=59, seconds=59, microseconds=999_999),
        datetime(2026, 3, 2, 1, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 2, 28, 22, tzinfo=timezone(timedelta(hours=-3))),
    ],
)
def test_midnight_is_utc_midnight(now: datetime) -> None:
    assert midnight(now) == AS_OF


def test_midnight_is_the_last_one_by_default() -> None:
    before, last, after = midnight(datetime.now(UTC)), midnight(), midnight(datetime.now(UTC))
    assert before <= last <= after
