"""Compiled: which row of P makes the largest product with each row of Q, told in float32 first.

P (h x k) stands by rows, Q (n x k) as its transpose; vectors go along the n. Where float32 cannot
tell the largest product, float64 does.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.io.jit import Double, Single, bare, bare_loosely
from tasks.models.als._jit.largest import LANES, two_largest
from tasks.models.als._jit.products import ROWS, fill
from tasks.models.als._jit.vectors import aligned

#: Products within this part of the largest are equal to it, and the smallest row has it: more than
#: float64 rounds away, whichever machine rounds, and less than anyone can mean.
_SAME = 1e-9


class Shares(NamedTuple):
    """Scratch for one P and one Q at a time.

    - `left` (h x k) and `reach` (n): P, and the lengths of Q's rows;
    - `rough_left`, `rough_right` (k x width), `rough`: P, Q' and their product in float32;
    - `best`, `second`, `chosen` (width): the two largest, and the row of the first.
    """

    left: Double
    reach: Double
    rough_left: Single
    rough_right: Single
    rough: Single
    best: Single
    second: Single
    chosen: npt.NDArray[np.int32]


def open_shares(longest: int, n: int, k: int) -> Shares:
    """Allocate for up to `longest` rows of P and n of Q."""
    width, rows = -(-n // LANES) * LANES, -(-longest // ROWS) * ROWS
    return Shares(
        left=aligned(rows, k),
        reach=np.zeros(n),
        rough_left=aligned(rows, k, kind=np.float32),
        rough_right=aligned(k, width, kind=np.float32),
        rough=aligned(rows, width, kind=np.float32),
        best=aligned(width, kind=np.float32),
        second=aligned(width, kind=np.float32),
        chosen=aligned(width, kind=np.int32),
    )


@bare_loosely
def longest_row(h: int, shares: Shares) -> float:
    """Round P to float32, and return the length of its longest row."""
    most = 0.0
    for row in range(h):
        square = 0.0
        for f in range(shares.left.shape[1]):
            value = shares.left[row, f]
            shares.rough_left[row, f] = value
            square += value * value
        most = max(most, square)
    return float(np.sqrt(most))


@bare
def multiply(h: int, shares: Shares) -> None:
    """Fill `rough` with the product of P and Q', and find the two largest for each row of Q."""
    k, width = shares.rough_right.shape
    for row in range(0, h, ROWS):
        fill(shares.rough, row, 0, width, shares.rough_left, row, 0, shares.rough_right, 0, k)
    two_largest(shares.rough, h, shares.best, shares.second, shares.chosen)


@bare
def margin_of(at: int, longest: float, shares: Shares) -> float:
    """Return how far two rough products may be from telling which is larger, doubled.

    Rounding may take away so much (Higham, 3.5), P and Q being rounded to float32 as well.
    """
    k = shares.left.shape[1]
    return float(4 * (k + 4) * 2.0**-24 * longest * shares.reach[at] + 1e-30)


@bare
def settle(h: int, at: int, least: float, exact: Double, shares: Shares) -> int:
    """Return the row of P with the largest product with `exact` (k), -1 where none is above 0.

    Rows whose rough product is below `least` are not it. Sums are float64, in order.
    """
    most = 0.0
    for settled in (False, True):
        for row in range(h):
            if shares.rough[row, at] >= least:
                share = 0.0
                for f in range(len(exact)):
                    share += shares.left[row, f] * exact[f]
                if settled and share > 0 and share >= most * (1 - _SAME):
                    return row
                most = max(most, share)
    return -1
