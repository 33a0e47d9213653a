"""Compiled: four rows of a matrix product at a time.

Numba makes vectors of an inner loop, but keeps its sums in memory. Here they stay in registers for
as long as a sum takes (Goto and van de Geijn 2008, Anatomy of High-Performance Matrix
Multiplication): what is loaded of one matrix counts four times, and a number of the other for as
many vectors as stand side by side.

Matrices are arrays of one type in C order. Sums are added up in order, and a product is not rounded
before it is added, where the machine can do so.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from tasks.models.als._jit.vectors import BYTES, ROOM, WORD, Matrix, spread

#: Rows of a block. Who has fewer fills up.
ROWS = 4
_FUSED = ["contract"]


def _tile(
    builder: Any, of: Any, where: Any, beside: int, lanes: int, turned: bool, fresh: bool
) -> None:
    """Make the code of four rows of a product, as wide as `beside` vectors."""
    out, left, right = of
    row, column, top, first, ahead, n = where
    add, vector = builder.add, ir.VectorType(out.number, lanes)
    places = [out.beside(add(row, WORD(i)), column, lanes, beside) for i in range(ROWS)]
    room: Any = cgutils.alloca_once
    sums = [[room(builder, vector) for _ in range(beside)] for _ in range(ROWS)]
    cells = [pair for pairs in zip(places, sums, strict=True) for pair in zip(*pairs, strict=True)]
    for place, total in cells:
        builder.store(ir.Constant(vector, None) if fresh else out.load(place), total)
    with cgutils.for_range(builder, n) as loop:
        there = right.beside(add(ahead, loop.index), column, lanes, beside)
        vectors = [right.load(place) for place in there]
        for i in range(ROWS):
            down, along = (loop.index, WORD(i)) if turned else (WORD(i), loop.index)
            place = left.one(add(top, down), add(first, along))
            number = spread(builder, left.load(place), lanes)
            for other, total in zip(vectors, sums[i], strict=True):
                product = builder.fmul(number, other, flags=_FUSED)
                builder.store(builder.fadd(builder.load(total), product, flags=_FUSED), total)
    for place, total in cells:
        out.store(builder.load(total), place)


def _four_rows(*, turned: bool, fresh: bool) -> Any:
    """Return what the functions below are, by which way `left` is read, and how `out` begins."""

    def lowered(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        of = [Matrix(context, builder, signature.args[i], args[i]) for i in (0, 4, 7)]
        _, row, at, end, _, top, first, _, ahead, n = args
        whole = BYTES // of[0].bytes
        widths = [(beside, whole) for beside in (4, 2, 1) if beside <= ROOM // ROWS]
        for beside, lanes in (*widths, (1, ROWS), (1, 1)):
            step = WORD(beside * lanes)
            stop = builder.add(at, builder.mul(builder.sdiv(builder.sub(end, at), step), step))
            with cgutils.for_range_slice(builder, at, stop, step) as (column, _):
                where = row, column, top, first, ahead, n
                _tile(builder, of, where, beside, lanes, turned, fresh)
            at = stop
        return context.get_dummy_value()

    def typed(
        context: Any,
        out: Any, row: Any, start: Any, end: Any,
        left: Any, top: Any, first: Any,
        right: Any, ahead: Any, n: Any,
    ) -> Any:  # fmt: skip
        place = types.intp
        return types.void(
            out, place, place, place, left, place, place, right, place, place
        ), lowered

    return intrinsic(typed)


#: Each fills columns `start` to `end` of four rows of `out`, from `row` on, with a product, or adds
#: it to them: of four rows of `left`, from row `top` and column `first` on, and n of `right`, from
#: `ahead` on, in the same columns. Turned, `left` has n rows and four columns there. The rows of
#: `right` may be those that are filled.
fill = _four_rows(turned=False, fresh=True)
fill_turned = _four_rows(turned=True, fresh=True)
add = _four_rows(turned=False, fresh=False)
add_turned = _four_rows(turned=True, fresh=False)
