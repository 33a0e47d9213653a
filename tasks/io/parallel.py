"""Work done in threads, a few pieces ahead of whoever takes it on."""

import os
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")
R = TypeVar("R")


def ahead(
    work: Callable[[T], R], pieces: Generator[T, None, None], n_threads: int | None = None
) -> Generator[R, None, None]:
    """Yield `work` of each piece, in order; at most one more than there are threads are begun.

    There are as many threads as cores, where not told, and BLAS is held to one: the pieces fill the
    machine. `pieces` is closed at the end, before BLAS gets its threads back, so that a generator
    which holds BLAS itself does not outlast it.
    """
    n_threads = n_threads or os.cpu_count() or 1
    with threadpool_limits(1, "blas"), closing(pieces), ThreadPoolExecutor(n_threads) as pool:
        waiting: deque[Future[R]] = deque()
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) > n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def beside(pieces: Generator[T, None, None]) -> Generator[T, None, None]:
    """Yield the pieces in order; while one is used, a thread of its own makes the next."""
    with closing(pieces), ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, pieces, None)
        while (piece := coming.result()) is not None:
            coming = pool.submit(next, pieces, None)
            yield piece
