"""A flow whose steps are slow, quick, unlucky and hopeless, for `test_as_task.py`."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from redis import RedisError

from flows import as_task, redis_failed
from tasks.errors import NoRoom
from tasks.runs.run_folder import Progress, Run, no_progress

PATIENT: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": [0.1],
    "retry_condition_fn": redis_failed,
}
tries = {"count_unluckily": 0, "count_hopelessly": 0}


def count_slowly(run: Run, seconds: float, *, progress: Progress = no_progress) -> int:
    """Report progress for some time, the last of it at the end."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        progress(int(100 * (1 - left / seconds)), 100)
    return 100


def count_at_once(run: Run, *, progress: Progress = no_progress) -> int:
    """Report progress once, at once."""
    progress(100, 100)
    return 100


def count_unluckily() -> int:
    """Find Redis away, once."""
    tries["count_unluckily"] += 1
    if tries["count_unluckily"] == 1:
        raise RedisError("away")
    return 100


def count_hopelessly() -> int:
    """Find what trying again does not mend."""
    tries["count_hopelessly"] += 1
    raise NoRoom("full")


@flow
def counting() -> None:
    """Count in every way."""
    run = Run("shop.de", 1, datetime.now(UTC), Path("nowhere"))
    as_task(count_slowly)(run, 5.0)
    as_task(count_at_once)(run)
    as_task(count_unluckily, **PATIENT)()
    as_task(count_hopelessly, **PATIENT)()


if __name__ == "__main__":
    try:
        counting()
    finally:
        print(*tries.values())
