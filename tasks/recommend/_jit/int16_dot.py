"""Products of whole numbers in the machine's vectors: a team of users by a word of items.

What compilers make of loops keeps sums in memory. Here each pair of factors adds its products to
vectors that stay in registers until all factors are in (the inner kernel of Goto and van de Geijn
2008, Anatomy of High-Performance Matrix Multiplication), and what comes out need not be a score but
one bit: is it above the user's threshold? Pairs, because machines multiply two 16-bit numbers and
add both products in one instruction. The code is LLVM's own, for any machine; the sizes alone
follow the registers that this one has, and no answer depends on them.

`products` and `hits` are plain Python, the definition. Compiled code that calls them gets LLVM's
instructions instead, or the compiled definition where those do not compile (another llvmlite) or
NIGHTSHELF_PLAIN_DOT=1 is set: the same answers, more slowly.
"""

import logging
import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload, register_jitable

from tasks.io.jit import BARE
from tasks.io.jit_cache import SWITCH
from tasks.recommend._jit.quantize import Numbers

#: Items that a word of 64 bits tells of.
WORD = 64
#: 32-bit numbers a vector, users a team, and vectors of items: their sums fill the registers.
_WIDE = get_host_cpu_features().get("avx512bw", False)
_LANES, TEAM, _VECTORS = (16, 6, 4) if _WIDE else (8, 4, 2)
_GROUP = _LANES * _VECTORS

_LOG = logging.getLogger(__name__)

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_SUMS = ir.VectorType(_I32, _LANES)
_PAIRS = ir.VectorType(ir.IntType(16), 2 * _LANES)
_PRODUCTS = ir.VectorType(_I32, 2 * _LANES)


def emitted(function: Callable[..., Any]) -> Any:
    """Make a function that writes LLVM's code into one that compiled code calls."""
    return intrinsic(function)


def packed(numbers: Numbers) -> Numbers:
    """Lay out items (m x p, m a multiple of `WORD`, p even) as `hits` and `products` read them.

    Group by group of items, each by pair of factors, then item, then the two of the pair.
    """
    groups = numbers.reshape(-1, _GROUP, numbers.shape[1] // 2, 2)
    return np.ascontiguousarray(groups.transpose(0, 2, 1, 3)).reshape(-1)


@register_jitable
def _dot(user: Numbers, items: Numbers, i: int) -> int:
    """Return a user's product with item i of `items`, as `packed` lays them out."""
    start = i // _GROUP * _GROUP * len(user) + i % _GROUP * 2
    total = 0
    for f in range(len(user)):
        total += int(user[f]) * int(items[start + f // 2 * 2 * _GROUP + f % 2])
    return total


def products(
    users: Numbers,
    team: npt.NDArray[np.int64],
    items: Numbers,
    word: int,
    out: npt.NDArray[np.int32],
) -> None:
    """Put item `WORD * word + i` times user `team[t]` into `out[t, WORD * word + i]`.

    Contiguous arrays: `users` (u x p), `items` as `packed` lays them out, `team` (`TEAM`), and
    `out` of `TEAM` rows of whole words.
    """
    for t in range(TEAM):
        for i in range(WORD * word, WORD * (word + 1)):
            out[t, i] = _dot(users[team[t]], items, i)


def hits(
    users: Numbers,
    team: npt.NDArray[np.int64],
    items: Numbers,
    word: int,
    thresholds: npt.NDArray[np.int32],
    out: npt.NDArray[np.uint64],
) -> None:
    """Set bit i of `out[t]` if item `WORD * word + i` times user `team[t]` is above its threshold.

    The arrays are those of `products`; `thresholds` and `out` have `TEAM` each.
    """
    for t in range(TEAM):
        bits = np.uint64(0)
        for i in range(WORD):
            above = _dot(users[team[t]], items, WORD * word + i) > thresholds[t]
            bits |= np.uint64(above) << np.uint64(i)
        out[t] = bits


@cache
def must_be_plain() -> bool:
    """Tell whether the definition is compiled instead of LLVM's instructions; log a warning if so.

    Asked once a process, and only where something is compiled.
    """
    reason = f"{SWITCH} is set"
    if os.environ.get(SWITCH, "0") == "0":
        try:
            njit("void(i2[:,::1], i8[::1], i2[::1], i8, i4[:,::1])", **BARE)(_quick_products)
            njit("void(i2[:,::1], i8[::1], i2[::1], i8, i4[::1], u8[::1])", **BARE)(_quick_hits)
        except Exception as error:  # whatever another numba or llvmlite raises
            reason = f"LLVM's instructions do not compile ({type(error).__name__})"
        else:
            return False
    _LOG.warning("Search multiplies in plain compiled loops, more slowly: %s", reason)
    return True


@emitted
def _hits(_: Any, users: Any, team: Any, items: Any, word: Any, thresholds: Any, out: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        arrays = _arrays(context, b, signature, args)
        thresholds, out = arrays[4].data, arrays[5].data
        found = [_I64(0)] * TEAM
        for first, rows in _multiplied(b, arrays[0], arrays[1], arrays[2], args[3]):
            for t, row in enumerate(rows):
                threshold = _broadcast(b, b.load(b.gep(thresholds, [_I64(t)])))
                for v, vector in enumerate(row):
                    above = b.bitcast(b.icmp_signed(">", vector, threshold), ir.IntType(_LANES))
                    bits = b.shl(b.zext(above, _I64), _I64(first + v * _LANES))
                    found[t] = b.or_(found[t], bits)
        for t, bits in enumerate(found):
            b.store(bits, b.gep(out, [_I64(t)]))
        return context.get_dummy_value()

    return types.void(users, team, items, word, thresholds, out), generate


@emitted
def _products(_: Any, users: Any, team: Any, items: Any, word: Any, out: Any) -> Any:
    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        arrays = _arrays(context, b, signature, args)
        width = b.extract_value(arrays[4].shape, 1)
        for first, rows in _multiplied(b, arrays[0], arrays[1], arrays[2], args[3]):
            for t, row in enumerate(rows):
                start = b.add(b.mul(_I64(t), width), b.mul(args[3], _I64(WORD)))
                for v, vector in enumerate(row):
                    place = b.add(start, _I64(first + v * _LANES))
                    target = b.gep(arrays[4].data, [place])
                    b.store(vector, b.bitcast(target, _SUMS.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(users, team, items, word, out), generate


def _quick_products(users: Any, team: Any, items: Any, word: Any, out: Any) -> None:
    _products(users, team, items, word, out)


def _quick_hits(users: Any, team: Any, items: Any, word: Any, thresholds: Any, out: Any) -> None:
    _hits(users, team, items, word, thresholds, out)


def _choose(plain: Callable[..., None], quick: Callable[..., None]) -> None:
    """Have compiled code that calls `plain` run `quick`, unless it must be plain."""

    @overload(plain, strict=False, inline="always")
    def choice(*_: Any) -> Callable[..., None]:
        return plain if must_be_plain() else quick


_choose(products, _quick_products)
_choose(hits, _quick_hits)


def _broadcast(b: Any, number: Any) -> Any:
    """Return a vector all of whose lanes are one number."""
    none = ir.Constant(ir.VectorType(number.type, _LANES), ir.Undefined)
    first = b.insert_element(none, number, _I32(0))
    return b.shuffle_vector(first, none, ir.Constant(ir.VectorType(_I32, _LANES), None))


def _arrays(context: Any, b: Any, signature: Any, args: Any) -> list[Any]:
    """Return what describes each array among the arguments, None for the others."""
    return [
        context.make_array(kind)(context, b, value) if isinstance(kind, types.Array) else None
        for kind, value in zip(signature.args, args, strict=True)
    ]


def _multiplied(
    b: Any, users: Any, team: Any, items: Any, word: Any
) -> Iterator[tuple[int, list[list[Any]]]]:
    """Yield each group's first item within the word, and its sums: a row of vectors a user."""
    pairs = b.lshr(b.extract_value(users.shape, 1), _I64(1))
    numbers = b.bitcast(users.data, _I32.as_pointer())  # a pair as one number
    rows = [
        b.gep(numbers, [b.mul(b.load(b.gep(team.data, [_I64(t)])), pairs)]) for t in range(TEAM)
    ]
    vectors = b.bitcast(items.data, _PAIRS.as_pointer())
    for group in range(WORD // _GROUP):
        at = b.add(b.mul(word, _I64(WORD // _GROUP)), _I64(group))
        first = b.gep(vectors, [b.mul(at, b.mul(pairs, _I64(_VECTORS)))])
        yield group * _GROUP, _summed(b, rows, first, pairs)


def _summed(b: Any, rows: list[Any], vectors: Any, pairs: Any) -> list[list[Any]]:
    """Add up the products of all pairs of factors for `rows` by one group of items."""
    zeros = _SUMS(None)
    start: Any = cgutils.alloca_once_value
    totals = [[start(b, zeros) for _ in range(_VECTORS)] for _ in rows]
    with cgutils.for_range(b, pairs) as loop:
        first = b.mul(loop.index, _I64(_VECTORS))
        items = [b.load(b.gep(vectors, [b.add(first, _I64(v))]), align=2) for v in range(_VECTORS)]
        for row, mine in zip(rows, totals, strict=True):
            pair = b.load(b.gep(row, [loop.index]), align=2)
            user = b.bitcast(_broadcast(b, pair), _PAIRS)
            for item, total in zip(items, mine, strict=True):
                b.store(b.add(b.load(total), _pairwise(b, user, item)), total)
    return [[b.load(total) for total in mine] for mine in totals]


def _pairwise(b: Any, one: Any, other: Any) -> Any:
    """Multiply 16-bit numbers, and add the two products of each pair."""
    products = b.mul(b.sext(one, _PRODUCTS), b.sext(other, _PRODUCTS))
    even, odd = (
        b.shuffle_vector(
            products, _PRODUCTS(ir.Undefined), _SUMS(list(range(first, 2 * _LANES, 2)))
        )
        for first in (0, 1)
    )
    return b.add(even, odd)
