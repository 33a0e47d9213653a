"""BLAS held to one thread."""

from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, cast

from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager[Any]:
    """Hold BLAS to one thread, as many calls of little work would wait for one another's threads.

    Threads of the caller's own fill the machine.
    """
    return cast("AbstractContextManager[Any]", _controller().limit(limits=1, user_api="blas"))


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    """Return the loaded libraries, which take 10 ms to find; SciPy's own is loaded before."""
    import scipy.linalg  # noqa: F401, PLC0415 - a third of a second, for flows that compute nothing

    return ThreadpoolController()
