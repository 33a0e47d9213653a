"""Compiled: small symmetric systems with many right sides, solved in place.

LAPACK's calls cost more than the work where a system has a dozen rows. Elimination goes by blocks
of four rows, so that what is loaded once counts four times, and no pivot is sought, since a
positive definite matrix needs none (Higham, Accuracy and Stability of Numerical Algorithms, 10.1).
"""

from tasks.kernel import Double, compiled, loosely
from tasks.kernel_products import ROWS


@loosely
def take(target: Double, source: Double, start: int, parts: Double) -> None:
    """Take `parts` (4 x 4) times the four rows of `source` from those of `target`.

    What is left of column `start` stays as it is.
    """
    ea, eb, ec, ed = parts[0, 0], parts[0, 1], parts[0, 2], parts[0, 3]
    fa, fb, fc, fd = parts[1, 0], parts[1, 1], parts[1, 2], parts[1, 3]
    ga, gb, gc, gd = parts[2, 0], parts[2, 1], parts[2, 2], parts[2, 3]
    ha, hb, hc, hd = parts[3, 0], parts[3, 1], parts[3, 2], parts[3, 3]
    for at in range(start, target.shape[1]):
        a, b, c, d = source[0, at], source[1, at], source[2, at], source[3, at]
        e = target[0, at] - ea * a - eb * b - ec * c - ed * d
        f = target[1, at] - fa * a - fb * b - fc * c - fd * d
        g = target[2, at] - ga * a - gb * b - gc * c - gd * d
        h = target[3, at] - ha * a - hb * b - hc * c - hd * d
        target[0, at], target[1, at], target[2, at], target[3, at] = e, f, g, h


@loosely
def turn(rows: Double, by: Double) -> None:
    """Put `by` (4 x 4, symmetric) times four rows in their place."""
    aa, ab, ac, ad = by[0, 0], by[0, 1], by[0, 2], by[0, 3]
    bb, bc, bd, cc, cd, dd = by[1, 1], by[1, 2], by[1, 3], by[2, 2], by[2, 3], by[3, 3]
    for at in range(rows.shape[1]):
        a, b, c, d = rows[0, at], rows[1, at], rows[2, at], rows[3, at]
        rows[0, at] = aa * a + ab * b + ac * c + ad * d
        rows[1, at] = ab * a + bb * b + bc * c + bd * d
        rows[2, at] = ac * a + bc * b + cc * c + cd * d
        rows[3, at] = ad * a + bd * b + cd * c + dd * d


@compiled
def invert(block: Double) -> None:
    """Put the inverse of a block, of which the diagonal and what is right of it is read, there.

    By sweeps of one row after another (Goodnight 1979, A Tutorial on the SWEEP Operator).
    """
    for row in range(ROWS):
        for at in range(row):
            block[row, at] = block[at, row]
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


@compiled
def solve(system: Double, right: Double, parts: Double) -> None:
    """Solve system (p x p, symmetric, positive definite) times X = right (p x q), in place.

    p is a multiple of four. Of `system` only the diagonal and what is right of it is read; it is
    spoilt, as is `parts` (4 x 4).
    """
    p = len(system)
    for first in range(0, p, ROWS):
        end = first + ROWS
        top, mine = system[first:end], system[first:end, first:end]
        invert(mine)
        for row in range(end, p, ROWS):
            for i in range(ROWS):
                for j in range(ROWS):
                    parts[i, j] = 0
                    for f in range(ROWS):
                        parts[i, j] += top[f, row + i] * mine[f, j]
            take(system[row : row + ROWS], top, row, parts)
            take(right[row : row + ROWS], right[first:end], 0, parts)
    for first in range(p - ROWS, -1, -ROWS):
        end = first + ROWS
        for row in range(end, p, ROWS):
            take(right[first:end], right[row : row + ROWS], 0, system[first:end, row : row + ROWS])
        turn(right[first:end], system[first:end, first:end])
