"""The smallest compiled pieces of text: bytes copied, whole numbers written."""

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit

from tasks.io.byte_strings import Bytes
from tasks.io.jit import BARE
from tasks.io.jit_cache import cached

F = TypeVar("F", bound=Callable[..., object])
_ZERO = ord("0")


def inlined(function: F) -> F:
    """Compile a small function, which makes no array, into whatever compiled code calls it.

    Otherwise every call counts references to each array it is given, atomically: more work than
    the few bytes.
    """
    return cast(F, cached(njit(nogil=True, forceinline=True, **BARE)(function)))


def literal(text: bytes) -> Bytes:
    """Return bytes as an array, a constant of compiled code."""
    return np.frombuffer(text, np.uint8)


@inlined
def byte_at(data: Bytes, at: int) -> int:
    """Return a byte; no place here counts from the end, and an unsigned one need not be asked."""
    byte: int = data[np.uint64(at)]
    return byte


@inlined
def put(out: Bytes, at: int, data: Bytes, start: int, stop: int) -> int:
    """Copy `data[start:stop]` to `out[at:]`; returns where it ends."""
    for offset in range(stop - start):
        out[np.uint64(at + offset)] = data[np.uint64(start + offset)]
    return at + stop - start


@inlined
def put_literal(out: Bytes, at: int, data: Bytes) -> int:
    """Copy all of `data`; returns where it ends."""
    return put(out, at, data, 0, len(data))


@inlined
def put_byte(out: Bytes, at: int, byte: int) -> int:
    """Write one byte; returns where it ends."""
    out[np.uint64(at)] = byte
    return at + 1


@inlined
def n_digits(number: int) -> int:
    """Count the decimal digits of a number from 0 on."""
    n = 1
    while number >= 10:
        number //= 10
        n += 1
    return n


@inlined
def put_number(out: Bytes, at: int, number: int) -> int:
    """Write a number from 0 on in decimal; returns where it ends."""
    end = at + n_digits(number)
    place = end
    while place > at:
        place -= 1
        out[np.uint64(place)] = _ZERO + number % 10
        number //= 10
    return end
