"""Prefect flows, one a file; a plain step of `tasks/` wrapped as a Prefect task."""

import atexit
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

# Where no server is named, Prefect starts a temporary one, and gives up on it after 20 s, which a
# busy machine needs for the start alone; its telemetry can lock the new database.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")


def _end_threads() -> None:
    """End Prefect's background threads, once all else that runs at exit has.

    They hold the context of the run that began them, and by it the flow, its module, and DuckDB,
    which then outlive Python's end: forty lines of `nanobind: leaked ...` a run.
    """
    for loop in (threads._global_loop, threads._run_sync_loop):
        if loop is not None and loop.thread.is_alive():
            loop.shutdown()
            loop.thread.join(_END_S)


#: Longest wait for such a thread, which has little left to do.
_END_S = 5.0
atexit.register(_end_threads)  # before Prefect is imported, so that it runs after all of Prefect's

from prefect import Task, get_run_logger, runtime
from prefect._internal.concurrency import threads
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from redis import RedisError

from flows._graph import Step, makers
from nightshelf.errors import NightshelfError
from tasks.errors import RedisUnavailable
from tasks.io.compiling import compiling
from tasks.runs.run_folder import Run

P = ParamSpec("P")
R = TypeVar("R")
Page = Callable[[Any, Any], Iterable[str]]

#: Progress is shown for steps that take longer than this, and at most this often.
_PROGRESS_EVERY_S = 2.0
_COMPILING_EVERY_S = 10.0


def as_task(function: Callable[P, R], *, page: Page | None = None, **policy: Any) -> Task[P, R]:
    """Wrap a step as a Prefect task that logs its counts and seconds and shows its progress.

    `page` gives the Markdown of its artifact, from its run and its record (`flows/_step_pages.py`).
    `policy` is Prefect's: retries, retry_delay_seconds, timeout_seconds. Nothing is cached: a night
    that runs again computes again, under a new generation.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        progress = None
        if "progress" in signature(function).parameters:
            progress = kwargs["progress"] = _Progress(_namespace(args), function.__name__)
        log, started = get_run_logger(), time.perf_counter()
        log.info("%s ...", function.__name__)
        with compiling(_compiling(log)):
            record = function(*args, **kwargs)
        if progress:
            progress.finish()
        makers.note(record)
        if page:
            _show(cast("Run", args[0]), function.__name__, page(args[0], record))
        seconds = time.perf_counter() - started
        log.info("%s: %s(%.1f s)", function.__name__, _summary(record), seconds)
        for warning in _warnings(record):
            log.warning("%s: %s", function.__name__, warning)
        return record

    return Step(run, name=function.__name__, cache_policy=NO_CACHE, **policy)


def artifact_key(namespace: str, name: str) -> str:
    """Return the key of a namespace's artifact, which Prefect lets hold letters, digits and -."""
    return f"{namespace}-{name}".lower().replace(".", "-").replace("_", "-")


def _show(run: Run, step: str, parts: Iterable[str]) -> None:
    """Make a step's artifact."""
    create_markdown_artifact(
        "\n\n".join(part for part in parts if part),
        key=artifact_key(run.namespace, step),
        description=f"{step} of generation {run.generation}",
    )


def redis_failed(_task: object, _run: object, state: State[Any]) -> bool:
    """Tell whether a task failed for Redis, and may succeed when tried again."""
    cause = state.result(raise_on_failure=False)
    return isinstance(cause, RedisError | RedisUnavailable)


def _namespace(args: Sequence[Any]) -> str:
    """Return the namespace of a step: of its run, else the one that the flow was asked for."""
    if args and isinstance(args[0], Run):
        return args[0].namespace
    return str(runtime.flow_run.parameters.get("namespace", "all"))


class _Progress:
    """Progress of a step in the Prefect UI and the log."""

    def __init__(self, namespace: str, step: str) -> None:
        self._key, self._step = artifact_key(namespace, f"{step}-progress"), step
        self._due = time.monotonic() + _PROGRESS_EVERY_S
        self._artifact: UUID | None = None

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _PROGRESS_EVERY_S
        percent = 100 * done / max(total, 1)
        get_run_logger().info("%.0f %% (%s of %s)", percent, f"{done:,}", f"{total:,}")
        if self._artifact is None:
            made = create_progress_artifact(percent, key=self._key, description=self._step)
            self._artifact = cast("UUID", made)  # a coroutine only where an event loop runs
        else:
            update_progress_artifact(self._artifact, percent)

    def finish(self) -> None:
        """Bring the artifact to its end, where the step has one."""
        if self._artifact is not None:
            update_progress_artifact(self._artifact, 100.0)


def _compiling(log: "logging.Logger | logging.LoggerAdapter[Any]") -> Callable[[int, int], None]:
    """Return a callback that logs the compiling of kernels, at once and then every ten seconds."""
    due = time.monotonic()

    def log_progress(ready: int, total: int) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + _COMPILING_EVERY_S
            done = f"{ready} of up to {total} functions are ready"
            log.info("compiling the inner loops, once after each change of code: %s", done)

    return log_progress


def _summary(record: object) -> str:
    """Return the counts of a step's record in words: n_events=3 becomes "3 events "."""
    fields = getattr(record, "__dataclass_fields__", {})
    counts = {name: getattr(record, name) for name in fields if name.startswith("n_")}
    words = [
        f"{value:,} {name[2:].replace('_', ' ')}"
        for name, value in counts.items()
        if isinstance(value, int)
    ]
    return ", ".join(words) + " " * bool(words)


def _warnings(record: object) -> Sequence[str]:
    """Return a step's warnings: a record's findings, or a verdict's gates that warn."""
    found = getattr(record, "warnings", ())
    return found() if callable(found) else found


class _PlainErrors(logging.Filter):
    """A filter that drops what the log has twice.

    The traceback of known errors, whose message says enough; and the end of a step, which has
    logged its counts and seconds, or its error.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], NightshelfError | RedisError):
            record.exc_info = None
        ends = ("Finished in state Completed", "Finished in state Failed")
        return record.name != "prefect.task_runs" or not record.getMessage().startswith(ends)


for _name in ("prefect.task_runs", "prefect.flow_runs"):
    logging.getLogger(_name).addFilter(_PlainErrors())
