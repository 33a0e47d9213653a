"""Lists taken apart again: the contract's JSON as `RankedList.to_json` writes it, compiled.

A value of any other form (escapes, spaces, another order) is none of this grammar's, which is then
said; whoever asked gives it to the reader's own `RankedList.from_json`.
"""

import numpy as np
import numpy.typing as npt

from tasks.io.byte_strings import Bytes, Offsets
from tasks.io.jit import compiled
from tasks.publish._jit.bytes import byte_at, inlined, literal, put

_ITEMS, _SCORES = literal(b'{"items":['), literal(b'],"scores":[')
_REASONS, _WHY = literal(b'],"reasons":['), literal(b'],"why":[')
_END = literal(b"]}")
_COMMA, _OPEN, _CLOSE, _QUOTE, _BACKSLASH, _SPACE = b',[]"\\ '
_ZERO, _NINE, _POINT, _MINUS, _E = b"09.-e"
#: Both are whole in float64, so their product or quotient is rounded once (Clinger 1990).
_MAX_DIGITS, _MAX_POWER = 15, 22
_POWERS = np.array([float(f"1e{power}") for power in range(_MAX_POWER + 1)])
_FAILED = -1


@compiled
def parse_lists(
    value_at: Offsets,
    values: Bytes,
    rows: Offsets,
    items: Bytes,
    item_ends: Offsets,
    scores: npt.NDArray[np.float64],
    why: Offsets,
    codes: Bytes,
    code_ends: Offsets,
    because: Bytes,
    because_ends: Offsets,
) -> int:
    """Take values apart into flat columns; returns the number of reasons, -1 where one cannot be.

    Value r's items, scores and positions in the reasons (counted over all values) stand from
    `rows[r]` to `rows[r + 1]`; texts end at `*_ends[i + 1]`.
    """
    rows[0] = item_ends[0] = code_ends[0] = because_ends[0] = 0
    n, n_reasons = 0, 0
    for r in range(len(value_at) - 1):
        at, stop, first = _after(values, value_at[r], value_at[r + 1], _ITEMS), value_at[r + 1], n
        while at != _FAILED and not _closes(values, at, stop):
            at = _text(values, _next(values, at, stop, n > first), stop, items, item_ends, n)
            n += 1
        at = _after(values, at, stop, _SCORES)
        for i in range(first, n):
            at = _number(values, _next(values, at, stop, i > first), stop, scores, i)
        at = _after(values, at, stop, _REASONS)
        before = n_reasons
        while at != _FAILED and not _closes(values, at, stop):
            at = _next(values, at, stop, n_reasons > before)
            at = _reason(values, at, stop, codes, code_ends, because, because_ends, n_reasons)
            n_reasons += 1
        at = _after(values, at, stop, _WHY)
        for i in range(first, n):
            at = _position(values, _next(values, at, stop, i > first), stop, why, i)
            if at == _FAILED or why[i] >= n_reasons - before:
                return _FAILED
            why[i] += before
        if at == _FAILED or _after(values, at, stop, _END) != stop:
            return _FAILED
        rows[r + 1] = n
    return n_reasons


@compiled
def most_texts(values: Bytes) -> int:
    """Return how many texts there can be in values, one without its last quote among them."""
    n_quotes = 0
    for at in range(len(values)):
        n_quotes += values[at] == _QUOTE
    return n_quotes // 2 + 1


@inlined
def _after(data: Bytes, at: int, stop: int, wanted: Bytes) -> int:
    """Return the place after `wanted`, which must stand at `at`."""
    if at == _FAILED or at + len(wanted) > stop:
        return _FAILED
    for offset in range(len(wanted)):
        if byte_at(data, at + offset) != wanted[offset]:
            return _FAILED
    return at + len(wanted)


@inlined
def _closes(data: Bytes, at: int, stop: int) -> bool:
    """Tell whether an array ends here."""
    return at < stop and byte_at(data, at) == _CLOSE


@inlined
def _next(data: Bytes, at: int, stop: int, begun: bool) -> int:
    """Return the place of the next element: after a comma, unless it is the first."""
    if at == _FAILED or at >= stop or (begun and byte_at(data, at) != _COMMA):
        return _FAILED
    return at + begun


@inlined
def _text(data: Bytes, at: int, stop: int, out: Bytes, ends: Offsets, number: int) -> int:
    """Copy a text that needs no unescaping to the end of `out`, as its `number`th."""
    if at == _FAILED or at >= stop or byte_at(data, at) != _QUOTE:
        return _FAILED
    start = at + 1
    at = start
    while at < stop and byte_at(data, at) != _QUOTE:
        if byte_at(data, at) == _BACKSLASH or byte_at(data, at) < _SPACE:
            return _FAILED
        at += 1
    ends[number + 1] = put(out, ends[number], data, start, at)
    return at + 1 if at < stop else _FAILED


@inlined
def _reason(
    data: Bytes,
    at: int,
    stop: int,
    codes: Bytes,
    code_ends: Offsets,
    because: Bytes,
    because_ends: Offsets,
    number: int,
) -> int:
    """Take a reason apart: a code, and what it needs where it needs something."""
    if at == _FAILED or at >= stop or byte_at(data, at) != _OPEN:
        return _FAILED
    at = _text(data, at + 1, stop, codes, code_ends, number)
    because_ends[number + 1] = because_ends[number]
    if at != _FAILED and at < stop and byte_at(data, at) == _COMMA:
        at = _text(data, at + 1, stop, because, because_ends, number)
    return at + 1 if at != _FAILED and _closes(data, at, stop) else _FAILED


@inlined
def _whole(data: Bytes, at: int, stop: int) -> tuple[int, int]:
    """Read up to 15 digits; returns where they end (-1 where there is none) and their number."""
    start, number = at, 0
    while _FAILED < at < stop and at - start < _MAX_DIGITS and _ZERO <= byte_at(data, at) <= _NINE:
        number = number * 10 + int(byte_at(data, at)) - _ZERO
        at += 1
    return (at if at > start else _FAILED), number


@inlined
def _position(data: Bytes, at: int, stop: int, out: Offsets, place: int) -> int:
    """Read a position from 0 on."""
    end, out[place] = _whole(data, at, stop)
    return end if end == at + 1 or byte_at(data, at) != _ZERO else _FAILED


@inlined
def _decimal(data: Bytes, start: int, stop: int) -> tuple[int, int, int]:
    """Read digits with a point among them; returns the end, the digits, and how many come after it.

    The end is -1 where there are too many, or where JSON allows no such number.
    """
    at, digits = _whole(data, start, stop)
    if at == _FAILED or at >= stop or (byte_at(data, start) == _ZERO and at > start + 1):
        return _FAILED, 0, 0
    if byte_at(data, at) != _POINT:
        return at, digits, 0
    after = at + 1
    at, part = _whole(data, after, stop)
    if at == _FAILED or at - start > _MAX_DIGITS + 1:
        return _FAILED, 0, 0
    return at, digits * int(_POWERS[at - after]) + part, at - after


@inlined
def _number(data: Bytes, at: int, stop: int, out: npt.NDArray[np.float64], place: int) -> int:
    """Read a number with a point or a negative exponent whose float64 is proven."""
    if at == _FAILED or at >= stop:
        return _FAILED
    negative = byte_at(data, at) == _MINUS
    at, digits, power = _decimal(data, at + negative, stop)
    if at == _FAILED or at + 1 >= stop:
        return _FAILED
    if byte_at(data, at) == _E and byte_at(data, at + 1) == _MINUS:
        at, exponent = _whole(data, at + 2, stop)
        power += exponent
    elif power == 0:
        return _FAILED
    if power > _MAX_POWER:
        return _FAILED
    size = digits / _POWERS[power]
    out[place] = -size if negative else size
    return at
