"""Scores as JSON: what `json.dumps(float(f"{score:.6g}"))` writes, in whole numbers.

Six significant digits are a whole number n below 10^6 and a power of ten. Scaling by an exact power
(10^22 is the last that float64 holds) rounds once, by at most 2^-53 of 10^6; so wherever the scaled
score is further than `_DOUBT` from the middle between two whole numbers, n is proven. A decimal of
up to 15 digits comes back whole from float64 (IEEE 754-2019, 5.12.2), so the shortest text that
gives the same float is n without its trailing zeros. Everything else is left to Python.
"""

import json

import numpy as np
import numpy.typing as npt

from tasks.io.byte_strings import Bytes
from tasks.io.jit import bare
from tasks.publish._jit.bytes import inlined, put_byte, put_number, put_word

#: Room for the longest (a sign, 16 digits, ".0"), in pieces that `put_roomy` copies.
WIDTH = 32
#: Where the exact power of ten for 6 digits is at most 10^22, and Python writes no "e+".
_SMALLEST, _LARGEST = -17, 15
_DOUBT = 1e-6
_POWERS = np.array([float(f"1e{power}") for power in range(23)])
_LEVELS = np.array([float(f"1e{power}") for power in range(_SMALLEST, _LARGEST + 2)])
_ZERO, _POINT, _MINUS, _E = b"0.-e"
_ZEROS, _NIBBLES = np.uint64(0x303030303030), np.uint64(0x000F000F000F)


def score_texts(scores: npt.NDArray[np.float64]) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """Return each score's text in a row of `WIDTH` bytes, and how many bytes of it count.

    Raises `ValueError` for a score that is not finite: JSON has no word for it.
    """
    written = np.empty((len(scores), WIDTH), np.uint8)
    lengths = np.empty(len(scores), np.int64)
    _write_plain(scores, written.ravel(), lengths)
    for at in np.flatnonzero(lengths == 0):
        text = json.dumps(float(f"{scores[at]:.6g}"), allow_nan=False).encode()
        lengths[at] = len(text)
        written[at, : len(text)] = np.frombuffer(text, np.uint8)
    return written, lengths


@bare
def _write_plain(
    scores: npt.NDArray[np.float64], written: Bytes, lengths: npt.NDArray[np.int64]
) -> None:
    """Write every score whose digits are proven; the length of the others is 0."""
    exponent = 0  # neighbours in a list are of about one size
    for i in range(len(scores)):
        start = at = i * WIDTH
        size, lengths[i] = abs(scores[i]), 0
        if np.signbit(scores[i]):
            at = put_byte(written, at, _MINUS)
        if size == 0:
            lengths[i] = _put_decimal(written, at, 0, 0) - start
            continue
        if not _LEVELS[0] <= size < _LEVELS[-1]:
            continue
        while size >= _LEVELS[exponent + 1 - _SMALLEST]:
            exponent += 1
        while size < _LEVELS[exponent - _SMALLEST]:
            exponent -= 1
        scaled = size * _POWERS[5 - exponent] if exponent <= 5 else size / _POWERS[exponent - 5]
        if abs(scaled - np.floor(scaled) - 0.5) < _DOUBT:
            continue
        digits, carried = int(np.rint(scaled)), 0
        if digits == 1_000_000:
            digits, carried = 100_000, 1
        if exponent + carried <= _LARGEST:
            lengths[i] = _put_decimal(written, at, digits, exponent + carried) - start


@inlined
def _put_decimal(out: Bytes, at: int, digits: int, exponent: int) -> int:
    """Write a number as Python's `repr` does: 6 digits, the first of which is 10^`exponent`."""
    if exponent < -4:
        end = _put_six(out, at, digits, 1)
        end = put_byte(out, put_byte(out, end, _E), _MINUS)
        if exponent > -10:
            end = put_byte(out, end, _ZERO)
        return put_number(out, end, -exponent)
    if exponent < 0:
        at = put_byte(out, put_byte(out, at, _ZERO), _POINT)
        for _ in range(-exponent - 1):
            at = put_byte(out, at, _ZERO)
        return _put_six(out, at, digits, 0)
    if exponent < 5:
        end = _put_six(out, at, digits, exponent + 1)
        return end if end > at + exponent + 1 else put_byte(out, put_byte(out, end, _POINT), _ZERO)
    at = put_number(out, at, digits)
    for _ in range(exponent - 5):
        at = put_byte(out, at, _ZERO)
    return put_byte(out, put_byte(out, at, _POINT), _ZERO)


@inlined
def _put_six(out: Bytes, at: int, digits: int, head: int) -> int:
    """Write 6 digits, a point after the first `head` (none at 0), without zeros at the end.

    Where all digits after the point are zeros, the point goes with them.
    """
    word, last = _six(digits), 6
    while last > max(head, 1) and word >> np.uint64(8 * (last - 1)) == 0:
        last -= 1
    word |= _ZEROS
    put_word(out, at, word)
    if head in (0, last):
        return at + last
    put_word(out, put_byte(out, at + head, _POINT), word >> np.uint64(8 * head))
    return at + last + 1


@inlined
def _six(digits: int) -> np.uint64:
    """Return 6 digits as bytes of a number, the first of them the lowest byte.

    103 / 1024 is near enough to a tenth for numbers of two digits.
    """
    number = np.uint64(digits)
    first, rest = number // np.uint64(10_000), number % np.uint64(10_000)
    pairs = first | rest // np.uint64(100) << np.uint64(16) | rest % np.uint64(100) << np.uint64(32)
    tens = pairs * np.uint64(103) >> np.uint64(10) & _NIBBLES
    return tens | pairs - tens * np.uint64(10) << np.uint64(8)
