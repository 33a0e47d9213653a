"""Work in threads: an ordered parallel map, reading ahead, ranges of rows for compiled loops."""

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tasks.io.blas import one_blas_thread

T = TypeVar("T")
R = TypeVar("R")

#: Ranges of rows a core, so that all cores are done at about the same time.
_RANGES = 4


def parallel_map(
    work: Callable[[T], R], items: Generator[T, None, None], n_threads: int | None = None
) -> Generator[R, None, None]:
    """Yield `work` of each item, in order; at most one more than there are threads are begun.

    There are as many threads as cores by default, and BLAS is held to one: the items fill the
    machine. `items` is closed at the end, before BLAS gets its threads back, so that a generator
    which holds BLAS itself does not outlast it.
    """
    n_threads = n_threads or os.cpu_count() or 1
    with one_blas_thread(), closing(items), ThreadPoolExecutor(n_threads) as pool:
        begun: deque[Future[R]] = deque()
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) > n_threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def read_ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """Yield the items in order; while one is used, a thread makes the next."""
    with closing(items), ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


def row_ranges(bounds: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Cut users into ranges (first, last) of about as many rows each.

    User u's rows are those from `bounds[u]` to `bounds[u + 1]`.
    """
    n = _RANGES * (os.cpu_count() or 1)
    cuts = np.searchsorted(bounds, np.linspace(0, bounds[-1], n + 1)[1:-1])
    ends = [0, *np.unique(cuts).tolist(), len(bounds) - 1]
    return list(pairwise(ends))


def in_threads(work: Callable[..., None], ranges: Sequence[tuple[int, ...]]) -> None:
    """Call `work(*range)` for each range; for compiled loops, which hold no GIL."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda each: work(*each), ranges))
