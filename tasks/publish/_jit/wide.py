"""Bytes written several at a time: short texts, of which a loop over bytes makes hard work.

What is copied may be more than what counts; it is written over later.
"""

import sys
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tasks.io.byte_strings import Bytes
from tasks.publish._jit.bytes import inlined

#: Bytes behind a text that `put_roomy` may read, and write.
SLACK = 16
_PIECE, _WORD = ir.VectorType(ir.IntType(8), SLACK), ir.IntType(64)


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
