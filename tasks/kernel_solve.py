"""Compiled: small symmetric systems with many right sides, solved in place.

LAPACK's calls cost more than the work where a system has a dozen rows. Elimination goes by blocks
of four rows, each of which takes at once what all before it take from it, and no pivot is sought,
since a positive definite matrix needs none (Higham, Accuracy and Stability of Numerical Algorithms,
10.1).
"""

from tasks.kernel import Double
from tasks.kernel_products import ROWS, add, fill_turned
from tasks.kernel_vectors import bare


@bare
def invert(system: Double, first: int, block: Double) -> None:
    """Fill `block` with the inverse of the block on the diagonal from `first` on.

    By sweeps of one row after another (Goodnight 1979, A Tutorial on the SWEEP Operator).
    """
    for row in range(ROWS):
        for at in range(ROWS):
            block[row, at] = system[first + min(row, at), first + max(row, at)]
    for top in range(ROWS):
        once = 1 / block[top, top]
        for row in range(ROWS):
            if row != top:
                part = block[row, top] * once
                for at in range(ROWS):
                    if at != top:
                        block[row, at] -= part * block[top, at]
                block[row, top] = -part
        for at in range(ROWS):
            block[top, at] *= once
        block[top, top] = once


@bare
def put(block: Double, sign: float, system: Double, first: int) -> None:
    """Put a block, or less it, on the diagonal from `first` on."""
    for row in range(ROWS):
        for at in range(ROWS):
            system[first + row, first + at] = sign * block[row, at]


@bare
def solve(system: Double, right: Double, block: Double) -> None:
    """Solve system (p x p, symmetric, positive definite) times X = right (p x q), in place.

    p is a multiple of four. Of `system` only the diagonal and what is right of it is read, and it
    is spoilt: system = L D L', D and L of blocks (4 x 4). The inverse of D comes to stand on the
    diagonal, and less L left of it, so that either way a block of rows is one product. `block` is
    scratch.
    """
    p, q = right.shape
    for first in range(0, p, ROWS):
        end = first + ROWS
        add(system, first, first, p, system, first, 0, system, 0, first)
        invert(system, first, block)
        add(right, first, 0, q, system, first, 0, right, 0, first)
        put(block, -1.0, system, first)
        for row in range(end, p, ROWS):
            fill_turned(system, row, first, end, system, first, row, system, first, ROWS)
        put(block, 1.0, system, first)
    for first in range(p - ROWS, -1, -ROWS):
        fill_turned(right, first, 0, q, system, first, first, right, first, p - first)
