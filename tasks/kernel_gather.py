"""Compiled: rows of a table that are listed by number, stood into columns.

A square of them at a time is turned in registers: its first half of rows and its second are put
into one another, number by number, as often as halves can be made.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

from tasks.kernel_vectors import BYTES, WORD, Matrix


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
    """Make the code that turns a square, of as many vectors as each has lanes."""
    n, places = len(rows), ir.VectorType(ir.IntType(32), len(rows))
    shuffle = [at // 2 + at % 2 * n for at in range(2 * n)]
    halves = [ir.Constant(places, shuffle[:n]), ir.Constant(places, shuffle[n:])]
    for _ in range(n.bit_length() - 1):
        pairs = zip(rows[: n // 2], rows[n // 2 :], strict=True)
        rows = [builder.shuffle_vector(a, b, half) for a, b in pairs for half in halves]
    return rows


def _stood(typing: Any, rows: Any, listed: Any, out: Any) -> Any:
    """Type `stand`, and return what makes its code."""

    def lowered(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, target = (Matrix(context, builder, signature.args[i], args[i]) for i in (0, 2))
        ids = context.make_array(listed)(context, builder, args[1])
        last = builder.sub(builder.extract_value(ids.shape, 0), WORD(1))
        lanes = BYTES // source.bytes
        with cgutils.for_range_slice(builder, WORD(0), target.width, WORD(lanes)) as (column, _):
            numbers = []
            for lane in range(lanes):
                at = builder.add(column, WORD(lane))
                at = builder.select(builder.icmp_signed("<", at, last), at, last)
                number = builder.load(builder.gep(ids.data, [at]))
                numbers.append(builder.sext(number, WORD))
            with cgutils.for_range_slice(builder, WORD(0), target.rows, WORD(lanes)) as (f, _):
                square = [source.load(source.at(number, f, lanes)) for number in numbers]
                for lane, vector in enumerate(_turned(builder, square)):
                    target.store(vector, target.at(builder.add(f, WORD(lane)), column, lanes))
        return context.get_dummy_value()

    return types.void(rows, listed, out), lowered


#: Puts the rows (k numbers each) that are listed into the columns of `out` (k x width). The last of
#: them stands in all columns that are left. k and the width are multiples of 16, which are whole
#: vectors of every machine.
stand: Any = intrinsic(_stood)
