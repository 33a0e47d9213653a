"""The backfill's own part: who may publish, what the form asks, the summary."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.utilities.callables import parameter_schema
from redis import Redis
from rich.console import Console

from flows._dates_table import BackfillFailed, Row, to_table
from flows.backfill import backfill, refuse_unless_publishable
from nightshelf.errors import TransitionRefused
from tasks.errors import SettingsError
from tasks.runs.run_folder import Run
from tests.tasks.publish.test_stage import publish
from tests.tasks.small_models import AS_OF

DAY = timedelta(days=1)


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
