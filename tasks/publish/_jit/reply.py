"""Replies to MGET found where they were received: no byte of a value is looked at, or moved."""

from tasks.io.byte_strings import Bytes, Offsets
from tasks.io.jit import compiled
from tasks.publish._jit.bytes import inlined

#: What `find_values` returns.
WHOLE, UNFINISHED, FOREIGN = 0, 1, 2
_ARRAY, _BULK = b"*$"
_ZERO, _NINE, _CR, _LF = b"09\r\n"
_UNFINISHED, _FOREIGN = -1, -2


@compiled
def find_values(data: Bytes, filled: int, so_far: Offsets, starts: Offsets, stops: Offsets) -> int:
    """Find the values of an array of bulk strings in `data[:filled]`, going on from `so_far`.

    `so_far` holds the place after what is known, and how many of it are known (-1 before the
    array's own line). Value i is `data[starts[i]:stops[i]]`. `FOREIGN` is any other reply, a value
    that is not there among them: somebody else must read it from its beginning.
    """
    at, n = so_far
    while n < len(starts):
        mark = _ARRAY if n < 0 else _BULK
        start, number = _line(data, at, filled, mark)
        if start == _FOREIGN or (n < 0 and start >= 0 and number != len(starts)):
            return FOREIGN
        stop = start if n < 0 else start + number + 2
        if start == _UNFINISHED or stop > filled:
            break
        if n >= 0:
            if not _line_ends(data, stop - 2):
                return FOREIGN
            starts[n], stops[n] = start, stop - 2
        at, n = stop, n + 1
    so_far[0], so_far[1] = at, n
    return WHOLE if n == len(starts) else UNFINISHED


@inlined
def _line(data: Bytes, at: int, filled: int, mark: int) -> tuple[int, int]:
    """Read a line of a mark and a number; returns the place after it, and the number."""
    if at >= filled:
        return _UNFINISHED, 0
    if data[at] != mark:
        return _FOREIGN, 0
    end, number = at + 1, 0
    while end < filled and _ZERO <= data[end] <= _NINE:
        number = number * 10 + int(data[end]) - _ZERO
        end += 1
    if end + 1 >= filled:
        return _UNFINISHED, 0
    zero_before = end > at + 2 and data[at + 1] == _ZERO
    if end == at + 1 or zero_before or not _line_ends(data, end):
        return _FOREIGN, 0
    return end + 2, number


@inlined
def _line_ends(data: Bytes, at: int) -> bool:
    return bool(data[at] == _CR and data[at + 1] == _LF)


@compiled
def gather(data: Bytes, starts: Offsets, stops: Offsets, ends: Offsets, out: Bytes) -> None:
    """Copy values end to end: value i becomes `out[ends[i]:ends[i + 1]]`."""
    for i in range(len(starts)):
        out[ends[i] : ends[i + 1]] = data[starts[i] : stops[i]]
