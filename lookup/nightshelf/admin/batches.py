"""Batches of keys or ids, so that no single command blocks the server for long."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
#: Keys of one command or pipeline.
BATCH_KEYS = 1_000


def batched(values: Iterable[T], n: int = BATCH_KEYS) -> Iterator[list[T]]:
    """Yield `values` in lists of up to `n`.

    >>> [len(batch) for batch in batched(range(2_500))]
    [1000, 1000, 500]
    """
    left = iter(values)
    return iter(lambda: list(islice(left, n)), [])
