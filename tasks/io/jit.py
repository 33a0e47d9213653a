"""Decorators and types of compiled code: plain arrays in, plain arrays out."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from tasks.io.jit_cache import cached

Positions = npt.NDArray[np.int32] | npt.NDArray[np.int64]
Single = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
F = TypeVar("F", bound=Callable[..., object])
#: Without numba's runtime: no array is reference-counted, and none can be made.
BARE: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
#: Sums in any order, fused multiply-add allowed.
_LOOSE = {"contract", "nsz", "reassoc"}


def compiled(function: F) -> F:
    """Compile a function at its first call, without the GIL; its types stay as written."""
    return cast(F, cached(njit(nogil=True)(function)))


def bare(function: F) -> F:
    """Compile a function that makes no array, without reference counts; the caller holds them.

    A count is an atomic operation for each array argument of a call: more than a small row's work.
    """
    return cast(F, cached(njit(nogil=True, **BARE)(function)))


def bare_loosely(function: F) -> F:
    """Compile as `bare`, with sums in the order that is fastest.

    For bounds that are compared with a margin for rounding, never for results.
    """
    return cast(F, cached(njit(nogil=True, fastmath=_LOOSE, **BARE)(function)))


@compiled
def exact_score(user: Single, item: Single) -> float:
    """Return the dot product in float64, summed in index order."""
    total = 0.0
    for f in range(len(user)):
        total += np.float64(user[f]) * np.float64(item[f])
    return total
