"""The backfill's own part: who may publish, what the form asks, processes that die, the summary."""

import io
import os
import signal
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from prefect.utilities.callables import parameter_schema
from redis import Redis
from rich.console import Console

from flows._apart import ProcessDied, apart
from flows._dates_table import BackfillFailed, Row, to_table
from flows.backfill import backfill, refuse_unless_publishable
from nightshelf.errors import TransitionRefused
from tasks.duck import connect
from tasks.errors import ModelError, SettingsError
from tasks.run import Run
from tests.tasks.models import AS_OF
from tests.tasks.test_publish import publish

DAY = timedelta(days=1)
ROOT = Path(__file__).parents[2]


def memory_limit(root: Path) -> int:
    """Return the bytes that DuckDB may take in this process."""
    with connect(Run("shop", 1, AS_OF, root)) as db:
        row = db.execute("SELECT current_setting('memory_limit')").fetchone()
    assert row is not None
    figure, unit = row[0].split()
    return int(float(figure) * 1024 ** ["bytes", "KiB", "MiB", "GiB"].index(unit))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def diverge() -> None:
    raise ModelError("user factors hold NaN")


def nobody(future: Future[object]) -> None:
    """Watch nothing."""


def test_processes_at_once_share_the_memory(tmp_path: Path) -> None:
    share = apart(4, nobody, memory_limit, tmp_path)
    assert share == pytest.approx(memory_limit(tmp_path) / 4, rel=0.01)


def test_a_process_that_is_killed_says_what_to_do() -> None:
    with pytest.raises(ProcessDied, match="lower --parallel"):
        apart(1, nobody, die)


def test_what_fails_in_a_process_fails_as_it_would_here() -> None:
    with pytest.raises(ModelError, match="user factors hold NaN"):
        apart(1, nobody, diverge)


def test_readers_are_not_taken_back_unless_forced(redis_client: Redis, tmp_path: Path) -> None:
    refuse_unless_publishable(redis_client, "shop", AS_OF - DAY, "lists", force=False)
    publish(redis_client, tmp_path)
    refuse_unless_publishable(redis_client, "shop", AS_OF, "lists", force=False)
    refuse_unless_publishable(redis_client, "shop", AS_OF - DAY, "report", force=True)
    with pytest.raises(TransitionRefused, match="newer than the last date, 2026-02-28") as refused:
        refuse_unless_publishable(redis_client, "shop", AS_OF - DAY, "lists", force=False)
    assert refused.value.reason == "superseded"
    assert "--force" in str(refused.value)


@pytest.mark.parametrize("make", ["features", "model"])
def test_what_has_no_lists_is_not_published(redis_client: Redis, make: str) -> None:
    with pytest.raises(SettingsError, match="needs lists"):
        refuse_unless_publishable(redis_client, "shop", AS_OF, make, force=True)  # type: ignore[arg-type]


def test_the_form_offers_choices_and_explains_each_field() -> None:
    asked = parameter_schema(backfill)
    fields = asked.properties
    assert fields["make"]["enum"] == ["features", "model", "lists", "report"]
    assert fields["publish"]["enum"] == ["never", "last"]
    assert fields["start"]["format"] == fields["end"]["format"] == "date"
    assert fields["step"]["minimum"] == fields["parallel"]["minimum"] == 1
    assert asked.required == ["events", "items", "start", "end"]
    assert all(each.get("description") for each in fields.values())


def test_the_deployment_gives_what_the_form_does_not_ask() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    (ours,) = (each for each in deployments if each["name"] == "backfill")
    assert "schedules" not in ours
    assert set(ours["parameters"]) <= set(parameter_schema(backfill).properties)


def test_the_summary_keeps_every_line_whole(tmp_path: Path) -> None:
    run = Run("shop", 3, datetime(2026, 2, 8, tzinfo=UTC), tmp_path / ("long" * 40))
    for step, seconds in (("clean_events", 1.25), ("measure", 0.5)):
        run.append({"step": step, "seconds": seconds, "n_events": 12_345, "coverage": 0.5})
    rows = [Row(run.as_of, "made", run), Row(run.as_of + DAY, "failed", why="no events [b]")]
    screen = io.StringIO()
    Console(file=screen, width=1_000).print(to_table(rows))
    head, made, failed = (line.split() for line in screen.getvalue().splitlines())
    assert head[:3] == ["date", "state", "events"]
    assert made == ["2026-02-08", "made", "12,345", "0.500", "1.8", str(run.folder)]
    assert failed == ["2026-02-09", "failed"]
    assert str(BackfillFailed(rows)) == "1 of 2 dates failed. 2026-02-09: no events [b]"
