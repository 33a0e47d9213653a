"""The night's folder and its journal."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tasks.run import Run, highest_generation, midnight, step

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
    assert first == {"step": "count", "n_rows": 3, "share": 0.5, "reasons": {"bad": 1}}
    assert second["step"] == "nothing"
    assert set(second) == {"step", "seconds"}
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
    monkeypatch.setattr("tasks.run.time.perf_counter", lambda: next(clock))
    step(lambda run: None)(run)
    assert run.steps()[0]["seconds"] == 2.346


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
