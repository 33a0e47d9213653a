"""Compiled: small symmetric systems with many right sides, solved in place.

LAPACK's calls cost more than the work where a system has a dozen rows. Elimination goes by blocks
of four rows, each of which takes at once what all before it take from it, and no pivot is sought,
since a positive definite matrix needs none (Higham, Accuracy and Stability of Numerical Algorithms,
10.1).
"""

from tasks.kernel import Double
from tasks.kernel_products import ROWS, fill_turned, take, take_turned
from tasks.kernel_vectors import bare


@bare
def invert(system: Double, first: int, block: Double) -> None:
    """Put the inverse of the block on the diagonal from `first` on there, by way of `block`.

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
    for row in range(ROWS):
        for at in range(ROWS):
            system[first + row, first + at] = block[row, at]


@bare
def solve(system: Double, right: Double, block: Double) -> None:
    """Solve system (p x p, symmetric, positive definite) times X = right (p x q), in place.

    p is a multiple of four. Of `system` only the diagonal and what is right of it is read. What
    stands there is spoilt: system = L D L', D of blocks, whose inverses take their places, and L
    those left of them. `block` (4 x 4) is scratch.
    """
    p, q = right.shape
    for first in range(0, p, ROWS):
        take(system, first, first, p, system, first, 0, system, 0, first)
        take(right, first, 0, q, system, first, 0, right, 0, first)
        invert(system, first, block)
        end = first + ROWS
        for row in range(end, p, ROWS):
            fill_turned(system, row, first, end, system, first, row, system, first, ROWS)
    for first in range(p - ROWS, -1, -ROWS):
        end = first + ROWS
        fill_turned(right, first, 0, q, system, first, first, right, first, ROWS)
        take_turned(right, first, 0, q, system, end, first, right, end, p - end)
