"""A process of its own for each date of a backfill."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from threading import Thread
from typing import ParamSpec, TypeVar

from tasks.errors import ProcessDied
from tasks.io import duckdb_session

P = ParamSpec("P")
R = TypeVar("R")


def apart(
    sharers: int,
    watch: Callable[[Future[R]], None],
    function: Callable[P, R],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Call a function in a process of its own, one of `sharers` that run at once.

    Its memory is the machine's again when it ends, BLAS and numba have threads that no other date
    meddles with, and where it dies it dies alone: `ProcessDied`. `watch` is called once, meanwhile.
    """
    context = multiprocessing.get_context("spawn")  # a fork would copy locks that threads hold
    with ProcessPoolExecutor(1, context, _begin, (sharers,)) as process:
        future = process.submit(function, *args, **kwargs)
        watch(future)
        try:
            return future.result()
        except BrokenProcessPool:
            raise ProcessDied(
                "its process was killed; where memory ran out (look at the system's log), lower "
                "--parallel. What its steps have finished is taken over by the next backfill"
            ) from None


def _begin(sharers: int) -> None:
    """Take a share of the machine, and end with the process that asked for the work."""
    duckdb_session.sharers.set(sharers)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
