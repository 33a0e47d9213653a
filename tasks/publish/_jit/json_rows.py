"""Columns of JSON texts: taken apart at their commas, put together as lists; compiled."""

from tasks.io.byte_strings import Bytes, Offsets
from tasks.io.jit import compiled
from tasks.publish._jit.bytes import byte_at, put, put_byte

_COMMA, _OPEN, _CLOSE, _QUOTE = b',[]"'


@compiled
def split(text: Bytes, out: Bytes, ends: Offsets) -> None:
    """Copy all but the commas to `out`; what stood before the nth ends at `ends[n]`, from 1 on."""
    n = size = 0
    for at in range(len(text)):
        byte = byte_at(text, at)
        if byte == _COMMA:
            n += 1
            ends[n] = size
        else:
            size = put_byte(out, size, byte)
    ends[n + 1] = size


@compiled
def write_string_lists(
    lists: Offsets, text_at: Offsets, text: Bytes, out: Bytes, ends: Offsets
) -> None:
    """Write list i, of the texts from `lists[i]` to `lists[i + 1]`, which need no escape."""
    size = 0
    for i in range(len(lists) - 1):
        size = put_byte(out, size, _OPEN)
        for at in range(lists[i], lists[i + 1]):
            if at > lists[i]:
                size = put_byte(out, size, _COMMA)
            size = put_byte(out, size, _QUOTE)
            size = put(out, size, text, text_at[at], text_at[at + 1])
            size = put_byte(out, size, _QUOTE)
        size = put_byte(out, size, _CLOSE)
        ends[i + 1] = size
