"""Whether what is live has seen more than tonight's run may."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from redis import Redis

from tasks.live import newer_night
from tasks.run import Run
from tests.tasks.models import AS_OF
from tests.tasks.test_publish import publish

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
