"""Compiled: small symmetric systems with many right sides, solved in place.

LAPACK's calls cost more than the work where a system has a dozen rows. Elimination goes by blocks
of four rows, each of which takes at once what all before it take from it, and no pivot is sought,
since a positive definite matrix needs none (Higham, Accuracy and Stability of Numerical Algorithms,
10.1).
"""

from tasks.io.jit import Double, bare, bare_loosely
from tasks.models.als._jit.products import ROWS, add, fill_turned


@bare_loosely
def invert(system: Double, first: int, block: Double) -> None:
    """Fill `block` with the inverse of the block on the diagonal from `first` on.

    It is [[A, B], [B', C]], of 2 x 2 each: A's inverse first, then that of C - B' A^-1 B.
    """
    b, c, d = first + 1, first + 2, first + 3
    once = 1 / (system[first, first] * system[b, b] - system[first, b] ** 2)
    aa, ab, bb = once * system[b, b], -once * system[first, b], once * system[first, first]
    ac, ad, bc, bd = system[first, c], system[first, d], system[b, c], system[b, d]
    e, f, g, h = aa * ac + ab * bc, aa * ad + ab * bd, ab * ac + bb * bc, ab * ad + bb * bd
    cc = system[c, c] - e * ac - g * bc
    cd = system[c, d] - f * ac - h * bc
    dd = system[d, d] - f * ad - h * bd
    once = 1 / (cc * dd - cd**2)
    cc, cd, dd = once * dd, -once * cd, once * cc
    ac, ad, bc, bd = -e * cc - f * cd, -e * cd - f * dd, -g * cc - h * cd, -g * cd - h * dd
    aa, ab, bb = aa - ac * e - ad * f, ab - ac * g - ad * h, bb - bc * g - bd * h
    block[0, 0], block[0, 1], block[0, 2], block[0, 3] = aa, ab, ac, ad
    block[1, 0], block[1, 1], block[1, 2], block[1, 3] = ab, bb, bc, bd
    block[2, 0], block[2, 1], block[2, 2], block[2, 3] = ac, bc, cc, cd
    block[3, 0], block[3, 1], block[3, 2], block[3, 3] = ad, bd, cd, dd


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
