"""A flow of two steps, one that takes long and one that does not, for `test_as_task.py`."""

import time

from prefect import flow

from flows import as_task
from tasks.run import Progress, no_progress


def count_slowly(seconds: float, *, progress: Progress = no_progress) -> int:
    """Report progress for some time, the last of it at the end."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        progress(int(100 * (1 - left / seconds)), 100)
    return 100


def count_at_once(*, progress: Progress = no_progress) -> int:
    """Report progress once, at once."""
    progress(100, 100)
    return 100


@flow
def counting() -> int:
    """Count, slowly and at once."""
    return as_task(count_slowly)(5.0) + as_task(count_at_once)()


if __name__ == "__main__":
    counting()
