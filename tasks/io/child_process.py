"""Work in a child process, which returns its memory and dies alone."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from threading import Thread
from typing import ParamSpec, TypeVar

from tasks.errors import ProcessDied
from tasks.io import memory

P = ParamSpec("P")
R = TypeVar("R")


def in_child_process(
    n_processes: int,
    watch: Callable[[Future[R]], None],
    function: Callable[P, R],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Call a function in a child process, one of `n_processes` that run at once.

    Its memory is freed when it ends, and BLAS and numba have threads of their own. Raises
    `ProcessDied` where it was killed. `watch` is called once, with its future.
    """
    context = multiprocessing.get_context("spawn")  # a fork would copy locks that threads hold
    with ProcessPoolExecutor(1, context, _begin, (n_processes, memory.given_memory())) as process:
        future = process.submit(function, *args, **kwargs)
        watch(future)
        try:
            return future.result()
        except BrokenProcessPool:
            raise ProcessDied(
                "its process was killed; where memory ran out (look at the system's log), lower "
                "--parallel. What its steps have finished is taken over by the next backfill"
            ) from None


def _begin(n_processes: int, memory_gb: float | None) -> None:
    """Take a share of the machine, and end with the parent process."""
    memory.n_processes.set(n_processes)
    memory.limit_memory(memory.MachineSettings(memory_gb))
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
