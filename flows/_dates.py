"""Dates of a backfill: a Prefect task each, some at a time, each in a child process."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import ThreadPoolTaskRunner
from redis import RedisError

from flows import artifact_key, as_task
from flows._dates_table import Row
from nightshelf.errors import NightshelfError
from tasks import backfill as past
from tasks.backfill import Make
from tasks.ingest.contract import Inputs
from tasks.io.child_process import in_child_process
from tasks.io.jit_cache import any_cached
from tasks.runs.run_folder import Run
from tasks.settings import Settings

_LOOK_EVERY_S = 2.0


@dataclass(frozen=True)
class Job:
    """Settings and inputs that all dates of a backfill share."""

    namespace: str
    inputs: Inputs
    settings: Settings
    make: Make
    parallel: int
    run_root: Path

    @property
    def root(self) -> Path:
        """Folder of unpublished dates; a night's own has a number that Redis gave."""
        return self.run_root / "backfill"


def make_all(job: Job, dates: Sequence[datetime]) -> list[Row]:
    """Make every date, `parallel` at a time, the earliest first; none stops another."""
    key = artifact_key(job.namespace, "backfill-progress")
    made = create_progress_artifact(0.0, key=key, description=f"{len(dates)} dates")
    progress = cast("UUID", made)  # a coroutine only where an event loop runs
    runner: ThreadPoolTaskRunner[Row] = ThreadPoolTaskRunner(max_workers=job.parallel)
    with runner:
        futures: list[PrefectFuture[Row]] = [
            runner.submit(make_date, {"job": job, "as_of": as_of}) for as_of in dates
        ]
        for n_done, _ in enumerate(as_completed(futures), start=1):
            update_progress_artifact(progress, 100 * n_done / len(dates))
            get_run_logger().info("%d of %d dates done", n_done, len(dates))
    results = (future.result(raise_on_failure=False) for future in futures)
    return [_row(as_of, result) for as_of, result in zip(dates, results, strict=True)]


def one_date(job: Job, as_of: datetime) -> Row:
    """Make a date in a process of its own, unless an earlier backfill has."""
    here = (job.root, job.namespace, as_of)
    if run := past.find_date(*here, job.inputs, job.settings, job.make):
        return Row(as_of, "kept", run)
    run = past.open_date(*here)
    if not any_cached():
        get_run_logger().info("compiling the inner loops, once after each change of code")
    in_child_process(
        job.parallel, _telling(run), past.make_date, run, job.inputs, job.settings, job.make
    )  # fmt: skip
    return Row(as_of, "made", run)


make_date = as_task(one_date, task_run_name="{as_of:%Y-%m-%d}")


def _row(as_of: datetime, result: object) -> Row:
    """Return the row of a date's task, made from its error where it failed."""
    return result if isinstance(result, Row) else Row(as_of, "failed", why=_reason(result))


def _reason(error: object) -> str:
    known = isinstance(error, NightshelfError | RedisError)
    return str(error) if known else f"{type(error).__name__}: {error}"


def _telling(run: Run) -> Callable[[Future[Any]], None]:
    """Return a callback that logs a run's steps from its journal until the run ends."""
    log = get_run_logger()

    def log_steps(future: Future[Any]) -> None:
        n_logged, done = 0, False
        while not done:
            done = bool(wait([future], _LOOK_EVERY_S).done)
            steps = run.steps()
            for step in steps[n_logged:]:
                log.info("%s (%.1f s)", step["step"], step["seconds"])
            n_logged = len(steps)

    return log_steps
