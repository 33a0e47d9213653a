"""Compiled copies of bytes, one or several at a time, and whole numbers as text."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic

from tasks.io.byte_strings import Bytes
from tasks.io.jit import BARE
from tasks.io.jit_cache import cached

F = TypeVar("F", bound=Callable[..., object])
_ZERO = ord("0")
#: Bytes behind a text that `put_roomy` may read, and write.
SLACK = 16
_PIECE, _WORD = ir.VectorType(ir.IntType(8), SLACK), ir.IntType(64)


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


def _place(context: Any, builder: Any, kind: Any, array: Any, at: Any, what: Any) -> Any:
    first = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(first, [at]), what.as_pointer())


def _copied(typing: Any, out: Any, at: Any, data: Any, start: Any) -> Any:
    """Type `_copy`, and return what makes its code."""

    def lowered(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        source = _place(context, builder, kinds[2], args[2], args[3], _PIECE)
        target = _place(context, builder, kinds[0], args[0], args[1], _PIECE)
        builder.store(builder.load(source, align=1), target, align=1)
        return context.get_dummy_value()

    return types.void(out, types.intp, data, types.intp), lowered


def _stored(typing: Any, out: Any, at: Any, word: Any) -> Any:
    """Type `put_word`, and return what makes its code."""

    def lowered(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = _place(context, builder, signature.args[0], args[0], args[1], _WORD)
        bytes_ = args[2] if sys.byteorder == "little" else builder.bswap(args[2])
        builder.store(bytes_, target, align=1)
        return context.get_dummy_value()

    return types.void(out, types.intp, types.uint64), lowered


_copy: Any = intrinsic(_copied)
#: Writes the 8 bytes of a number to `out[at:]`, the lowest first.
put_word: Any = intrinsic(_stored)


@inlined
def put_roomy(out: Bytes, at: int, data: Bytes, start: int, stop: int) -> int:
    """Copy `data[start:stop]` to `out[at:]`; returns where it ends.

    Less than `SLACK` bytes more may be read, and written.
    """
    for offset in range(0, stop - start, SLACK):
        _copy(out, at + offset, data, start + offset)
    return at + stop - start
