"""Compiled: the two largest numbers of each column, in registers from the first row to the last."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from tasks.models.als._jit.vectors import WORD, Matrix, spread

#: Columns at a time. Where a vector of the machine holds fewer, LLVM takes more of them.
LANES = 16
_INT = ir.IntType(32)


def _columns(builder: Any, source: Matrix, column: Any, n: Any) -> list[Any]:
    """Make the code for some columns; return where the two largest and their rows are kept."""
    kinds = [ir.VectorType(kind, LANES) for kind in (source.number, source.number, _INT)]
    room: Any = cgutils.alloca_once
    kept = [room(builder, kind) for kind in kinds]
    for place, kind, start in zip(kept, kinds, (float("-inf"), float("-inf"), -1), strict=True):
        builder.store(ir.Constant(kind, [start] * LANES), place)
    with cgutils.for_range(builder, n) as loop:
        share = source.load(source.at(loop.index, column, LANES))
        best, second, chosen = (builder.load(place) for place in kept)
        better, next_best = (builder.fcmp_ordered(">", share, than) for than in (best, second))
        row = spread(builder, builder.trunc(loop.index, _INT), LANES)
        other = builder.select(next_best, share, second)
        builder.store(builder.select(better, share, best), kept[0])
        builder.store(builder.select(better, best, other), kept[1])
        builder.store(builder.select(better, row, chosen), kept[2])
    return kept


def _largest(typing: Any, rough: Any, n: Any, best: Any, second: Any, chosen: Any) -> Any:
    """Type `two_largest`, and return what makes its code."""

    def lowered(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = Matrix(context, builder, signature.args[0], args[0])
        pairs = list(zip(signature.args[2:], args[2:], strict=True))
        outs = [context.make_array(kind)(context, builder, value).data for kind, value in pairs]
        step = WORD(LANES)
        with cgutils.for_range_slice(builder, WORD(0), source.width, step) as (column, _):
            for place, out in zip(_columns(builder, source, column, args[1]), outs, strict=True):
                there = builder.bitcast(builder.gep(out, [column]), place.type)
                builder.store(builder.load(place), there, align=4)
        return context.get_dummy_value()

    return types.void(rough, types.intp, best, second, chosen), lowered


#: Finds the two largest of the first n numbers of every column of `rough` (rows x width, a multiple
#: of 16), and the row of the first: `best`, `second` and `chosen` (width).
two_largest: Any = intrinsic(_largest)
