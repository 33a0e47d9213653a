"""Compiled: rows of a table that are listed by number; fetched ahead, copied, stood into columns.

A square of them at a time is turned in registers: its first half of rows and its second are put
into one another, number by number, as often as halves can be made.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from tasks.models.als._jit.vectors import BYTES, LINE, WORD, Matrix

_BYTE, _INT = ir.IntType(8).as_pointer(), ir.IntType(32)


class _Rows(Matrix):
    """A table and numbers of rows, in code that is being made."""

    def __init__(self, context: Any, builder: Any, kinds: Any, values: Any) -> None:
        super().__init__(context, builder, kinds[0], values[0])
        assert kinds[1].layout == "C", kinds[1]
        numbers = context.make_array(kinds[1])(context, builder, values[1])
        self._numbers, self.n = numbers.data, builder.extract_value(numbers.shape, 0)

    def listed(self, at: Any) -> Any:
        """Load a number; past the end, the last."""
        last = self._builder.sub(self.n, WORD(1))
        at = self._builder.select(self._builder.icmp_signed("<", at, last), at, last)
        number = self._builder.load(self._builder.gep(self._numbers, [at]))
        return self._builder.sext(number, WORD)


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
    """Make the code that turns a square, of as many vectors as each has lanes."""
    n, places = len(rows), ir.VectorType(_INT, len(rows))
    shuffle = [at // 2 + at % 2 * n for at in range(2 * n)]
    halves = [ir.Constant(places, shuffle[:n]), ir.Constant(places, shuffle[n:])]
    for _ in range(n.bit_length() - 1):
        pairs = zip(rows[: n // 2], rows[n // 2 :], strict=True)
        rows = [builder.shuffle_vector(a, b, half) for a, b in pairs for half in halves]
    return rows


def _fetched(typing: Any, rows: Any, listed: Any) -> Any:
    """Type `fetch`, and return what makes its code."""

    def lowered(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = _Rows(context, builder, signature.args, args)
        kind = ir.FunctionType(ir.VoidType(), [_BYTE, _INT, _INT, _INT])
        declared: Any = cgutils.get_or_insert_function
        call = declared(builder.module, kind, "llvm.prefetch.p0")
        step = WORD(LINE // source.bytes)
        with cgutils.for_range(builder, source.n) as loop:
            row = source.listed(loop.index)
            with cgutils.for_range_slice(builder, WORD(0), source.width, step) as (f, _):
                place = builder.bitcast(source.one(row, f), _BYTE)
                builder.call(call, [place, _INT(0), _INT(2), _INT(1)])
        return context.get_dummy_value()

    return types.void(rows, listed), lowered


def _copied(typing: Any, rows: Any, listed: Any, out: Any) -> Any:
    """Type `copy`, and return what makes its code."""

    def lowered(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = _Rows(context, builder, signature.args, args)
        target = Matrix(context, builder, signature.args[2], args[2])
        lanes = BYTES // source.bytes
        with cgutils.for_range(builder, target.rows) as loop:
            row = source.listed(loop.index)
            with cgutils.for_range_slice(builder, WORD(0), target.width, WORD(lanes)) as (f, _):
                vector = source.load(source.at(row, f, lanes))
                target.store(vector, target.at(loop.index, f, lanes))
        return context.get_dummy_value()

    return types.void(rows, listed, out), lowered


def _stood(typing: Any, rows: Any, listed: Any, out: Any) -> Any:
    """Type `stand`, and return what makes its code."""

    def lowered(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = _Rows(context, builder, signature.args, args)
        target = Matrix(context, builder, signature.args[2], args[2])
        lanes = BYTES // source.bytes
        with cgutils.for_range_slice(builder, WORD(0), target.width, WORD(lanes)) as (column, _):
            numbers = [source.listed(builder.add(column, WORD(lane))) for lane in range(lanes)]
            with cgutils.for_range_slice(builder, WORD(0), target.rows, WORD(lanes)) as (f, _):
                square = [source.load(source.at(number, f, lanes)) for number in numbers]
                for lane, vector in enumerate(_turned(builder, square)):
                    target.store(vector, target.at(builder.add(f, WORD(lane)), column, lanes))
        return context.get_dummy_value()

    return types.void(rows, listed, out), lowered


#: Asks memory for the rows that are listed, and does not wait.
fetch: Any = intrinsic(_fetched)
#: Puts the rows (k numbers each) that are listed into the rows of `out`, or into its columns. The
#: last of them stands in all that are left. k and the columns of `out` are multiples of 16, which
#: are whole vectors of every machine.
copy: Any = intrinsic(_copied)
stand: Any = intrinsic(_stood)
