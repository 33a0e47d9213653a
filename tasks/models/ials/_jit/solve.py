"""Compiled: the least squares of one side's rows, by preconditioned conjugate gradients.

The factors x of a row minimise, over the other side's factors y,

    sum over the row's entries of |w| (x.y - p)^2 + sum over f of base_f x_f^2

where p is 1, or 0 where w < 0. The y are given in the eigenbasis of their gram matrix: what all
pairs add to the system is then a diagonal, the base, and the preconditioner divides by it. So a row
of h entries is solved in h + 1 steps at most, each 4 h k operations, and no k x k matrix is made.
"""

import numpy as np

from tasks.io.jit import Positions, Single, bare_loosely

#: Rows of k that `solve_rows` works in.
N_WORK = 5
#: The last step is the one that leaves this part of the right-hand side, in squares.
_SMALL = 1e-12


@bare_loosely
def dot(left: Single, right: Single) -> np.float32:
    """Return the product of two rows."""
    total = np.float32(0)
    for f in range(len(left)):
        total += left[f] * right[f]
    return total


@bare_loosely
def add(row: Single, part: np.float32, other: Single) -> None:
    """Add `part` times another row."""
    for f in range(len(row)):
        row[f] += part * other[f]


@bare_loosely
def add_entries(
    row: Single, part: np.float32, x: Single, columns: Positions, weights: Single, other: Single
) -> None:
    """Add `part` times the sum of |w| y (y.x) over the entries."""
    for at in range(len(columns)):
        y = other[columns[at]]
        add(row, part * abs(weights[at]) * dot(y, x), y)


@bare_loosely
def divide(out: Single, residual: Single, base: Single) -> np.float32:
    """Divide the residual by the base; return the product of the residual and that."""
    total = np.float32(0)
    for f in range(len(out)):
        out[f] = residual[f] / base[f]
        total += out[f] * residual[f]
    return total


@bare_loosely
def solve_rows(
    rows: tuple[int, int],
    spans: Positions,
    columns: Positions,
    weights: Single,
    other: Single,
    shared: Single,
    ridge: Single,
    max_steps: int,
    out: Single,
    work: Single,
) -> None:
    """Improve rows `rows[0]` to `rows[1]` - 1 of `out` (n x k) in `max_steps` steps at most.

    Row u has the `columns` (rows of `other`, m x k) and signed `weights` of its span; its base is
    `shared` (k) plus `ridge[u]`.
    """
    base, residual, divided, direction, image = work[0], work[1], work[2], work[3], work[4]
    plus, minus = np.float32(1), np.float32(-1)
    for row in range(rows[0], rows[1]):
        mine, weight = columns[spans[row] : spans[row + 1]], weights[spans[row] : spans[row + 1]]
        x = out[row]
        for f in range(len(x)):
            base[f] = shared[f] + ridge[row]
            residual[f] = np.float32(0)
        for at in range(len(mine)):
            add(residual, max(weight[at], np.float32(0)), other[mine[at]])
        enough = np.float32(_SMALL) * divide(divided, residual, base)
        add_entries(residual, minus, x, mine, weight, other)
        for f in range(len(x)):
            residual[f] -= base[f] * x[f]
        size = divide(divided, residual, base)
        for f in range(len(x)):
            direction[f] = divided[f]
        for _ in range(max_steps):
            if size <= enough:
                break
            for f in range(len(x)):
                image[f] = base[f] * direction[f]
            add_entries(image, plus, direction, mine, weight, other)
            step = size / dot(direction, image)
            add(x, step, direction)
            add(residual, -step, image)
            before, size = size, divide(divided, residual, base)
            for f in range(len(x)):
                direction[f] = divided[f] + size / before * direction[f]
