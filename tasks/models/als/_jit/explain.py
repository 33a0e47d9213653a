"""Compiled: the item of a user's history that adds most to the score of each item listed.

The score of j is the sum over liked i of c_i y_i' W^-1 y_j, W = A + sum of (|c| - 1) y y' over all
of the history, A = Y'Y + reg I (Hu, Koren and Volinsky 2008, section 5). With A = L L' and
Z = Y L'^-1, made once for all users, that is c_i z_i' (I + Z_h' D Z_h)^-1 z_j, D = |c| - 1. Where
each user's A differs by a diagonal (iALS), Z is scaled by column for each user, and D = |c|. For h
items of history and n listed ones there are two systems that give these shares:

- short histories, h x h (Woodbury): C (I + Z_h Z_h' D)^-1 Z_h Z_n';
- long ones, k x k: C Z_h (I + Z_h' D Z_h)^-1 Z_n'.

An item disliked (c < 0) shapes the system and adds nothing: its preference is 0.
"""

import numpy as np

from tasks.io.jit import Double, Positions, Single, bare_loosely, compiled

#: Rows of a system are taken so many at a time. Systems are filled up to whole blocks.
BLOCK = 4
#: Shares within this part of the largest are equal to it, and the smallest id has it: more than
#: float64 rounds away, whichever machine rounds, and less than anyone can mean.
_SAME = 1e-9


@bare_loosely
def subtract(row: Double, part: float, other: Double) -> None:
    """Subtract `part` times another row."""
    for at in range(len(row)):
        row[at] -= part * other[at]


@bare_loosely
def subtract_block(
    row: Double, i: float, j: float, k: float, m: float, a: Double, b: Double, c: Double, d: Double
) -> None:
    """Subtract multiples of the four rows of a block, which loads and stores `row` once."""
    for at in range(len(row)):
        row[at] -= i * a[at] + j * b[at] + k * c[at] + m * d[at]


@bare_loosely
def solve(system: Double, weights: Double) -> None:
    """Turn [K | G] (p x p and p x q, K symmetric) into [- | (I + K diag(w))^-1 G], in place.

    Each row in turn is taken from all others (Sherman and Morrison 1950): K is then what it is
    given that row. Where I + diag(w) K is positive definite no pivot is sought. p is a multiple of
    `BLOCK`. K and the weights are spoilt.
    """
    for first in range(0, len(system), BLOCK):
        end = first + BLOCK
        for t in range(first, end):
            for s in range(first, t):
                subtract(system[t, first:], system[t, s] * weights[s], system[s, first:])
            weights[t] /= 1 + weights[t] * system[t, t]
        a, b, c, d = system[first], system[first + 1], system[first + 2], system[first + 3]
        wa, wb, wc, wd = (
            weights[first],
            weights[first + 1],
            weights[first + 2],
            weights[first + 3],
        )
        ab, ac, ad = a[first + 1], a[first + 2], a[first + 3]
        bc, bd, cd = b[first + 2], b[first + 3], c[first + 3]
        for other in range(len(system)):
            if not first <= other < end:
                row = system[other]
                i = row[first] * wa
                j = (row[first + 1] - i * ab) * wb
                k = (row[first + 2] - i * ac - j * bc) * wc
                m = (row[first + 3] - i * ad - j * bd - k * cd) * wd
                subtract_block(row[first:], i, j, k, m, a[first:], b[first:], c[first:], d[first:])
        for t in range(first, end):
            for s in range(t, end):
                subtract(system[t, first:], system[t, s] * weights[s], system[s, first:])


@bare_loosely
def copy_rows(items: Double, scale: Double, numbers: Positions, out: Double) -> None:
    """Copy rows by number, scaled by column; the last fills up the rest of `out`."""
    for row in range(len(out)):
        number = numbers[min(row, len(numbers) - 1)]
        for f in range(items.shape[1]):
            out[row, f] = items[number, f] * scale[f]


@compiled
def shares_of(
    items: Double,
    scale: Double,
    covered: float,
    mine: Positions,
    weight: Single,
    listed: Positions,
) -> Double:
    """Return the share of each item of a history in each item listed (h x n), unweighted by c."""
    h, k, p = len(mine), items.shape[1], -(-len(mine) // BLOCK) * BLOCK
    rows = np.empty((p + -(-len(listed) // BLOCK) * BLOCK, k))
    copy_rows(items, scale, mine, rows[:p])
    copy_rows(items, scale, listed, rows[p:])
    weights = np.zeros(p)
    for row in range(h):
        weights[row] = abs(np.float64(weight[row])) - covered
    if h <= k:
        short: Double = np.dot(rows[:p], rows.T)
        solve(short, weights)
        return short[:h, p:]
    long = np.empty((k, k + len(rows) - p))
    long[:, :k] = np.dot(rows[:p].T, rows[:p] * weights.reshape(p, 1))
    long[:, k:] = rows[p:].T
    solve(long, np.ones(k))
    return np.dot(rows[:h], np.ascontiguousarray(long[:, k:]))  # type: ignore[no-any-return]


@compiled
def because_block(
    items: Double,
    shared: Double,
    ridge: Double,
    covered: float,
    history_from: Positions,
    history: Positions,
    confidence: Single,
    listed: Positions,
    lengths: Positions,
    out: Positions,
) -> None:
    """Find for each item listed the item of the user's history that adds most to its score.

    `items` is Z (m x k, k a multiple of `BLOCK`: columns of zeros do no harm), `shared` (k) plus
    the user's `ridge` what the squares of its columns are divided by, `covered` the part of a
    confidence that A holds. `out` stays as it is where nothing adds.
    """
    for r in range(len(lengths)):
        first, end, n = history_from[r], history_from[r + 1], lengths[r]
        if n == 0 or end == first:
            continue
        mine, weight = history[first:end], confidence[first:end]
        scale = 1 / np.sqrt(shared + ridge[r])
        shares = shares_of(items, scale, covered, mine, weight, listed[r, :n])
        least = np.zeros(n)
        for i in range(len(mine)):
            row, c = shares[i, :n], max(np.float64(weight[i]), 0.0)
            for at in range(n):
                row[at] *= c
                least[at] = max(least[at], row[at])
        for i in range(len(mine) - 1, -1, -1):
            row = shares[i, :n]
            for at in range(n):
                if row[at] > 0 and row[at] >= least[at] * (1 - _SAME):
                    out[r, at] = mine[i]
