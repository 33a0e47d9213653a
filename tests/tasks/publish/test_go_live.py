"""A live generation that has seen more than tonight's run may."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from redis import Redis

from nightshelf.admin.lifecycle import pin
from tasks.artifacts.records import Provenance
from tasks.publish.go_live import flip, newer_night
from tasks.publish.settings import PublishSettings
from tasks.publish.stage import open_run, stage
from tasks.runs.run_folder import Run
from tests.tasks.publish.test_stage import publish
from tests.tasks.small_models import AS_OF, make_shelves

HOUR = timedelta(hours=1)
EAST = timezone(5 * HOUR)


def newer(client: Redis, root: Path, as_of: datetime) -> int | None:
    found = newer_night(Run("shop", 2, as_of, root), client)
    return found.generation if found else None


def test_where_nothing_is_live_nothing_is_newer(redis_client: Redis, tmp_path: Path) -> None:
    assert newer(redis_client, tmp_path, AS_OF) is None


@pytest.mark.parametrize(
    ("as_of", "is_newer"),
    [
        (AS_OF - timedelta(microseconds=1), True),
        (AS_OF - timedelta(days=1), True),
        (AS_OF, False),
        (AS_OF + timedelta(microseconds=1), False),
        (AS_OF.astimezone(EAST), False),
        ((AS_OF - HOUR).astimezone(EAST), True),
        ((AS_OF + HOUR).astimezone(EAST), False),
        ((AS_OF - HOUR).astimezone(timezone(-5 * HOUR)), True),
    ],
)
def test_a_live_night_is_newer_by_what_it_has_seen(
    redis_client: Redis, tmp_path: Path, as_of: datetime, is_newer: bool
) -> None:
    publish(redis_client, tmp_path)
    assert newer(redis_client, tmp_path, as_of) == (1 if is_newer else None)


def test_another_namespace_is_no_concern(redis_client: Redis, tmp_path: Path) -> None:
    publish(redis_client, tmp_path)
    run = Run("homepage", 2, AS_OF - timedelta(days=1), tmp_path)
    assert newer_night(run, redis_client) is None


@pytest.mark.parametrize("held", [False, True])
def test_a_forced_flip_passes_what_has_seen_more_and_never_a_pin(
    redis_client: Redis, tmp_path: Path, held: bool
) -> None:
    publish(redis_client, tmp_path)
    if held:
        pin(redis_client, "shop", 1)
    run = open_run(redis_client, "shop", AS_OF - timedelta(days=1), tmp_path)
    stage(run, redis_client, make_shelves(run), PublishSettings(), Provenance(10, ""))
    assert flip(run, redis_client).state == "staged"
    assert flip(run, redis_client, force=True).state == ("staged" if held else "live")
