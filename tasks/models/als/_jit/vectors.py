"""Vectors in compiled code: arrays of two dimensions, a few numbers of a row at a time.

It is LLVM's own language, of which any machine makes its code, and says how wide it has them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features

_HAS = get_host_cpu_features()
#: Bytes of a vector, and how many of them leave room for as many again in the machine's registers.
BYTES = 64 if _HAS.get("avx512f") else 32 if _HAS.get("avx") else 16
ROOM = 8 if _HAS.get("sse2") and not _HAS.get("avx512f") else 16
#: Bytes of a line of the cache.
LINE = 64
WORD = ir.IntType(64)


def aligned(*shape: int, kind: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    """Return zeros that begin where a line of the cache does, lest every vector lie in two."""
    n_bytes = int(np.prod(shape)) * np.dtype(kind).itemsize
    room = np.zeros(n_bytes + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return room[start : start + n_bytes].view(kind).reshape(shape)


def spread(builder: Any, number: Any, lanes: int) -> Any:
    """Return a vector all of whose lanes are one number."""
    none = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    firsts = ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
    one = builder.insert_element(none, number, ir.IntType(32)(0))
    return builder.shuffle_vector(one, none, firsts)


class Matrix:
    """An array of two dimensions, in code that is being made. No other order than C compiles."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        assert kind.layout == "C", kind
        array = context.make_array(kind)(context, builder, value)
        self.number, self._builder, self._first = array.data.type.pointee, builder, array.data
        self.rows, self.width = (builder.extract_value(array.shape, axis) for axis in (0, 1))
        self.bytes = context.get_abi_sizeof(self.number)

    def one(self, row: Any, column: Any) -> Any:
        """Return where a number stands."""
        offset = self._builder.add(self._builder.mul(row, self.width), column)
        return self._builder.gep(self._first, [offset])

    def beside(self, row: Any, column: Any, lanes: int, n: int) -> list[Any]:
        """Return where some vectors stand, one after another."""
        first, kind = self.one(row, column), ir.VectorType(self.number, lanes).as_pointer()
        places = [self._builder.gep(first, [WORD(at * lanes)]) for at in range(n)]
        return [self._builder.bitcast(place, kind) for place in places]

    def at(self, row: Any, column: Any, lanes: int) -> Any:
        """Return where one vector stands."""
        return self.beside(row, column, lanes, 1)[0]

    def load(self, place: Any) -> Any:
        """Load what stands there."""
        return self._builder.load(place, align=self.bytes)

    def store(self, vector: Any, place: Any) -> None:
        """Put a vector there."""
        self._builder.store(vector, place, align=self.bytes)
