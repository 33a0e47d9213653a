"""The compiled inner loops: a walk, a score, a reason; plain arrays in, plain arrays out."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from tasks.io.jit_cache import kept

Positions = npt.NDArray[np.int32] | npt.NDArray[np.int64]
Single = npt.NDArray[np.float32]
Double = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
F = TypeVar("F", bound=Callable[..., object])
#: Without numba's runtime nobody counts references to arrays, and none can be made.
BARE: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
#: Sums in whatever order, and products rounded or not.
_LOOSE = {"contract", "nsz", "reassoc"}


def compiled(function: F) -> F:
    """Compile a function at its first call, without the GIL; its types stay as written."""
    return cast(F, kept(njit(nogil=True)(function)))


def bare(function: F) -> F:
    """Compile a function that makes no array, without counting references to those it is given.

    A count is an atomic operation, and a call makes one for each array of its arguments: more work
    than a few comparisons are, or a small row. Whoever calls it holds the arrays.
    """
    return cast(F, kept(njit(nogil=True, **BARE)(function)))


def bare_loosely(function: F) -> F:
    """Compile likewise, with sums in whatever order and rounding the machine is quickest in.

    For what is compared with a margin for rounding, never for what is put out.
    """
    return cast(F, kept(njit(nogil=True, fastmath=_LOOSE, **BARE)(function)))


@compiled
def exact_score(user: Single, item: Single) -> float:
    """Return the dot product in float64, always added up in the same order."""
    total = 0.0
    for f in range(len(user)):
        total += np.float64(user[f]) * np.float64(item[f])
    return total
