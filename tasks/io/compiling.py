"""Reports of compiling for those who wait; without numba, which takes a second to import."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Called with the functions that are ready and all there are, before each that is compiled.
watchers: list[Callable[[int, int], None]] = []


@contextmanager
def compiling(report: Callable[[int, int], None]) -> Iterator[None]:
    """Call `report(ready, total)` before each function that is compiled, by any thread.

    `total` counts all compiled functions, of which a run may need some.
    """
    watchers.append(report)
    try:
        yield
    finally:
        watchers.remove(report)
