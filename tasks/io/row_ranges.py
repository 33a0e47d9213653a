"""Rows cut into pieces of work, done in threads: for compiled loops, which hold no GIL."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Longs = npt.NDArray[np.int64]

#: Pieces of work a core, so that all cores are done at about the same time.
_PIECES = 4


def pieces_of(bounds: Longs) -> list[tuple[int, int]]:
    """Cut rows into pieces that are alike in size; row r is from `bounds[r]` to `bounds[r + 1]`."""
    n = _PIECES * (os.cpu_count() or 1)
    cuts = np.searchsorted(bounds, np.linspace(0, bounds[-1], n + 1)[1:-1])
    ends = [0, *np.unique(cuts).tolist(), len(bounds) - 1]
    return list(pairwise(ends))


def in_threads(work: Callable[..., None], pieces: Sequence[tuple[int, ...]]) -> None:
    """Do `work(*piece)` for each piece."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda piece: work(*piece), pieces))
