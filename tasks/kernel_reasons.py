"""Compiled: which item of a user's history adds most to the score of each item listed.

The score of j is the sum over liked i of c_i y_i' W^-1 y_j, W = A + sum of (|c| - 1) y y' over all
of the history, A = Y'Y + reg I (Hu, Koren and Volinsky 2008, section 5). For h items of history
and n listed ones the shares are P Q', and there are two ways to have P (h x k) and Q (n x k):

- short histories: P = C (I + K D)^-1 V_h, Q = Y_n, with V = Y A^-1 made once for all users,
  K = Y_h V_h' and D = |C| - 1: a system of h x h (Woodbury);
- long ones: P = C Y_h, Q = Y_n W^-1: a system of k x k.

An item disliked (c < 0) shapes W and adds nothing: its preference is 0, and so is its row of P.
The product is taken in float32; where that cannot tell the largest share, in float64.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.kernel import Double, Positions, Single, compiled
from tasks.kernel_solve import solve

#: Shares within this part of the largest are equal to it, and the smallest id is the reason:
#: more than float64 rounds away, whichever machine rounds, and less than anyone can mean.
_SAME = 1e-9
#: What |c| is taken to be above 1 at least. As A is more than any y y', W changes by less than
#: this part of itself for each item of the history.
_LEAST = 2.0**-44


class Ground(NamedTuple):
    """What users share: Y (m x k), V (m x k), A (k x k), and the length of each row of Y (m)."""

    items: Single
    eased: Double
    gram: Double
    lengths: Double


class Table(NamedTuple):
    """Scratch for one user at a time, and P and Q.

    - `left`: P; `right`: Q of a long history (that of a short one is float32: `rough_right`);
      `reach` (n): the lengths of Q's rows.
    - `best`, `second`, `chosen` (n): the two largest rough shares, and the row of the first.
    """

    left: Double
    right: Double
    reach: Double
    taken: Double
    scaled: Double
    small: Double
    large: Double
    turned: Double
    rough_left: Single
    rough_right: Single
    rough: Single
    best: Single
    second: Single
    chosen: npt.NDArray[np.int32]


def open_table(longest: int, n: int, k: int) -> Table:
    """Allocate for histories of up to `longest` items and lists of up to n."""
    return Table(
        left=np.empty((longest, k)),
        right=np.empty((n, k)),
        reach=np.empty(n),
        taken=np.empty((k, k)),
        scaled=np.empty((k, k)),
        small=np.empty(k * k),
        large=np.empty((k, k)),
        turned=np.empty(k * n),
        rough_left=np.empty((longest, k), np.float32),
        rough_right=np.empty((n, k), np.float32),
        rough=np.empty(longest * n, np.float32),
        best=np.empty(n, np.float32),
        second=np.empty(n, np.float32),
        chosen=np.empty(n, np.int32),
    )


@compiled
def short_form(
    mine: Positions, weight: Single, listed: Positions, ground: Ground, table: Table
) -> None:
    """Fill P and Q for at most k items of history, each |c| at least 1.

    (I + K D)^-1 = S^-1 (I + S K S)^-1 S with S the root of D: symmetric, eigenvalues from 1 up.
    """
    h, k = len(mine), ground.gram.shape[0]
    taken, left = table.taken[:h], table.left[:h]
    for row in range(h):
        root = np.sqrt(max(abs(np.float64(weight[row])) - 1, _LEAST))
        for f in range(k):
            taken[row, f] = root * np.float64(ground.items[mine[row], f])
            left[row, f] = root * ground.eased[mine[row], f]
    system = table.small[: h * h].reshape(h, h)
    np.dot(taken, left.T, system)
    for row in range(h):
        system[row, row] += 1
    solve(system, left)
    for row in range(h):
        c = np.float64(weight[row])
        scale = max(c, 0.0) / np.sqrt(max(abs(c) - 1, _LEAST))
        for f in range(k):
            left[row, f] *= scale
    for at in range(len(listed)):
        table.reach[at] = ground.lengths[listed[at]]
        for f in range(k):
            table.rough_right[at, f] = ground.items[listed[at], f]


@compiled
def long_form(
    mine: Positions, weight: Single, listed: Positions, ground: Ground, table: Table
) -> None:
    """Fill P and Q for any history; W grows by k items at a time."""
    n, k = len(listed), ground.gram.shape[0]
    small = table.small.reshape(k, k)
    table.large[:] = ground.gram
    for first in range(0, len(mine), k):
        size = min(k, len(mine) - first)
        for at in range(size):
            row = first + at
            c = np.float64(weight[row])
            more, liked = abs(c) - 1, max(c, 0.0)
            for f in range(k):
                value = np.float64(ground.items[mine[row], f])
                table.taken[at, f], table.scaled[at, f] = value, more * value
                table.left[row, f] = liked * value
        np.dot(table.taken[:size].T, table.scaled[:size], small)
        for row in range(k):
            for f in range(k):
                table.large[row, f] += small[row, f]
    turned = table.turned[: k * n].reshape(k, n)
    for at in range(n):
        for f in range(k):
            turned[f, at] = ground.items[listed[at], f]
    solve(table.large, turned)
    for at in range(n):
        for f in range(k):
            table.right[at, f] = turned[f, at]
            table.rough_right[at, f] = turned[f, at]
        table.reach[at] = np.sqrt(np.dot(table.right[at], table.right[at]))


@compiled
def settle(at: int, least: float, right: Single | Double, rough: Single, left: Double) -> int:
    """Return the row of P with the largest share of item `at`, -1 where none is above 0.

    Rows whose rough share is below `least` are not it. Shares are added up in float64, in order.
    """
    most = 0.0
    for settled in (False, True):
        for row in range(len(rough)):
            if rough[row, at] >= least:
                share = 0.0
                for f in range(left.shape[1]):
                    share += left[row, f] * np.float64(right[at, f])
                if settled and share > 0 and share >= most * (1 - _SAME):
                    return row
                most = max(most, share)
    return -1


@compiled
def choose(h: int, n: int, right: Single | Double, table: Table) -> None:
    """Find for each row of Q (`right`) the row of P that makes the largest product with it.

    Float32 decides where the best is ahead of the second, and of 0, by more than rounding may
    take away (Higham, 3.5; P and Q rounded to float32 as well), doubled; otherwise float64 does.
    """
    left, rough = table.left[:h], table.rough[: h * n].reshape(h, n)
    best, second, chosen = table.best, table.second, table.chosen
    longest, k = 0.0, left.shape[1]
    for row in range(h):
        longest = max(longest, np.dot(left[row], left[row]))
        for f in range(k):
            table.rough_left[row, f] = left[row, f]
    np.dot(table.rough_left[:h], table.rough_right[:n].T, rough)
    for at in range(n):
        best[at], second[at], chosen[at] = -np.inf, -np.inf, -1
    for row in range(h):
        for at in range(n):  # without a branch, so that it runs in vectors
            share, top = rough[row, at], best[at]
            better = share > top
            second[at] = top if better else max(second[at], share)
            chosen[at] = np.int32(row) if better else chosen[at]
            best[at] = share if better else top
    doubt = 4 * (k + 4) * 2.0**-24 * np.sqrt(longest)
    for at in range(n):
        margin = doubt * table.reach[at] + 1e-30
        if not (best[at] - second[at] > margin and best[at] > margin):
            chosen[at] = settle(at, best[at] - margin, right, rough, left)


@compiled
def because_block(
    ground: Ground,
    table: Table,
    history_from: Positions,
    history: Positions,
    confidence: Single,
    listed: Positions,
    lengths: Positions,
    out: Positions,
) -> None:
    """Find for each item listed the item of the user's history that adds most to its score.

    `out` stays as it is where nothing adds.
    """
    k = ground.gram.shape[0]
    for r in range(len(lengths)):
        n, h = lengths[r], history_from[r + 1] - history_from[r]
        if n == 0 or h == 0:
            continue
        mine = history[history_from[r] : history_from[r + 1]]
        weight = confidence[history_from[r] : history_from[r + 1]]
        if h <= k and np.abs(weight).min() >= 1:
            short_form(mine, weight, listed[r, :n], ground, table)
            choose(h, n, table.rough_right, table)
        else:
            long_form(mine, weight, listed[r, :n], ground, table)
            choose(h, n, table.right, table)
        for at in range(n):
            if table.chosen[at] >= 0:
                out[r, at] = mine[table.chosen[at]]
