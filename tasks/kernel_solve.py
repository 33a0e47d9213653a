"""Compiled: small symmetric systems with many right sides, solved in place.

LAPACK's calls cost more than the work where a system has a dozen rows. Elimination goes by rows,
four at a time: loops run along the rows, so that every sum has its one order, however wide the
machine's vectors are, and no pivot is sought, since a positive definite matrix needs none (Higham,
Accuracy and Stability of Numerical Algorithms, 10.1).
"""

from tasks.kernel import Double, compiled


@compiled
def clear_one(system: Double, right: Double, top: int, end: int) -> None:
    """Take multiples of row `top` from the rows after it, up to `end`, so that its column is 0."""
    once = 1 / system[top, top]
    for row in range(top + 1, end):
        part = system[top, row] * once
        for at in range(row, system.shape[1]):
            system[row, at] -= part * system[top, at]
        for at in range(right.shape[1]):
            right[row, at] -= part * right[top, at]


@compiled
def clear_four(system: Double, right: Double, first: int) -> None:
    """Do what `clear_one` does for rows first to first + 3 at once, on all rows after them."""
    p, q = right.shape
    a, b, c, d = first, first + 1, first + 2, first + 3
    once = 1 / system[a, a], 1 / system[b, b], 1 / system[c, c], 1 / system[d, d]
    for row in range(first + 4, p):
        pa, pb = system[a, row] * once[0], system[b, row] * once[1]
        pc, pd = system[c, row] * once[2], system[d, row] * once[3]
        for at in range(row, p):
            system[row, at] = (
                system[row, at] - pa * system[a, at] - pb * system[b, at]
                - pc * system[c, at] - pd * system[d, at]
            )  # fmt: skip
        for at in range(q):
            right[row, at] = (
                right[row, at] - pa * right[a, at] - pb * right[b, at]
                - pc * right[c, at] - pd * right[d, at]
            )  # fmt: skip


@compiled
def settle_rows(system: Double, right: Double, first: int, end: int) -> None:
    """Solve the rows first to end - 1, from which all later ones have been taken."""
    for row in range(end - 1, first - 1, -1):
        once = 1 / system[row, row]
        for at in range(right.shape[1]):
            right[row, at] *= once
        for top in range(first, row):
            part = system[top, row]
            for at in range(right.shape[1]):
                right[top, at] -= part * right[row, at]


@compiled
def solve(system: Double, right: Double) -> None:
    """Solve system (p x p, symmetric, positive definite) times X = right (p x q), in place.

    Of `system` only the diagonal and what is right of it is read; it is spoilt.
    """
    p, q = right.shape
    lead = p % 4
    for top in range(lead):
        clear_one(system, right, top, p)
    for first in range(lead, p, 4):
        for top in range(first, first + 3):
            clear_one(system, right, top, first + 4)
        clear_four(system, right, first)
    for first in range(p - 4, lead - 1, -4):
        settle_rows(system, right, first, first + 4)
        for row in range(first):
            pa, pb = system[row, first], system[row, first + 1]
            pc, pd = system[row, first + 2], system[row, first + 3]
            for at in range(q):
                right[row, at] = (
                    right[row, at] - pa * right[first, at] - pb * right[first + 1, at]
                    - pc * right[first + 2, at] - pd * right[first + 3, at]
                )  # fmt: skip
    settle_rows(system, right, 0, lead)
