"""Compiled: which item of a user's history adds most to the score of each item listed.

The score of j is the sum over liked i of c_i y_i' W^-1 y_j, W = A + sum of (|c| - 1) y y' over all
of the history, A = Y'Y + reg I (Hu, Koren and Volinsky 2008, section 5). With A = L L' and
Z = Y L'^-1, made once for all users, that is c_i z_i' (I + Z_h' D Z_h)^-1 z_j, D = |c| - 1. For h
items of history and n listed ones the shares are P Q', and there are two ways to have P and Q:

- short histories: P = C S^-1 (I + T T')^-1 T with T = S Z_h, and Q = Z_n, where S is the root of
  D: a system of h x h (Woodbury), symmetric, eigenvalues from 1 up;
- long ones: P = C Z_h, Q = Z_n (I + Z_h' D Z_h)^-1: a system of k x k.

An item disliked (c < 0) shapes the system and adds nothing: its preference is 0, and so is its row
of P. Systems are filled up to whole blocks with rows of the identity, whose right sides are 0.
"""

from typing import NamedTuple

import numpy as np

from tasks.kernel import Double, Positions, Single, compiled, loosely
from tasks.kernel_gather import stand
from tasks.kernel_products import ROWS
from tasks.kernel_shares import (
    Shares,
    longest_row,
    margin_of,
    multiply,
    open_shares,
    settle,
    two_largest,
)
from tasks.kernel_solve import solve, take

#: What |c| is taken to be above 1 at least. As A is more than any y y', W changes by less than
#: this part of itself for each item of the history.
_LEAST = 2.0**-44


class Ground(NamedTuple):
    """What users share: Z (m x k), the same in float32, and the length of each row of it (m).

    k is a multiple of 16: columns of zeros do no harm.
    """

    items: Double
    rough: Single
    lengths: Double


class Table(NamedTuple):
    """Scratch for one user at a time: a system (h x h or k x k) and the Q' of a long history."""

    system: Double
    parts: Double
    right: Double
    exact: Double
    shares: Shares


def open_table(longest: int, n: int, k: int) -> Table:
    """Allocate for histories of up to `longest` items and lists of up to n."""
    shares = open_shares(longest, n, k)
    return Table(
        system=np.empty(k * k),
        parts=np.empty((ROWS, ROWS)),
        right=np.zeros((k, shares.rough.shape[1])),
        exact=np.empty(k),
        shares=shares,
    )


@loosely
def system_of(rows: Double, system: Double) -> None:
    """Fill the diagonal, and what is right of it, of I + T T' for T = `rows` (h x k, h even)."""
    h, k = rows.shape
    for a in range(0, h, 2):
        for c in range(a, h, 2):
            b, d = a + 1, c + 1
            ac = ad = bc = bd = 0.0
            for f in range(k):
                ac += rows[a, f] * rows[c, f]
                ad += rows[a, f] * rows[d, f]
                bc += rows[b, f] * rows[c, f]
                bd += rows[b, f] * rows[d, f]
            system[a, c], system[a, d], system[b, c], system[b, d] = ac, ad, bc, bd
        system[a, a] += 1
        system[a + 1, a + 1] += 1


@compiled
def short_form(
    mine: Positions, weight: Single, listed: Positions, ground: Ground, table: Table
) -> None:
    """Fill P and the rough Q for at most k items of history, each |c| at least 1."""
    h, k = len(mine), ground.items.shape[1]
    filled = -(-h // ROWS) * ROWS
    shares, left = table.shares, table.shares.left[:filled]
    left[h:] = 0
    for row in range(h):
        root = np.sqrt(max(abs(np.float64(weight[row])) - 1, _LEAST))
        for f in range(k):
            left[row, f] = root * ground.items[mine[row], f]
    system = table.system[: filled * filled].reshape(filled, filled)
    system_of(left, system)
    solve(system, left, table.parts)
    for row in range(h):
        c = np.float64(weight[row])
        scale = max(c, 0.0) / np.sqrt(max(abs(c) - 1, _LEAST))
        for f in range(k):
            left[row, f] *= scale
    stand(ground.rough, listed, shares.rough_right)
    for at in range(len(listed)):
        shares.reach[at] = ground.lengths[listed[at]]


@compiled
def long_form(
    mine: Positions, weight: Single, listed: Positions, ground: Ground, table: Table
) -> None:
    """Fill P, Q' and the rough Q for any history; the system grows by four items at a time."""
    h, n, k = len(mine), len(listed), ground.items.shape[1]
    filled = -(-h // ROWS) * ROWS
    shares, left, parts = table.shares, table.shares.left[:filled], table.parts
    system = table.system.reshape(k, k)
    system[:] = 0
    for f in range(k):
        system[f, f] = 1
    for row in range(h):
        left[row] = ground.items[mine[row]]
    left[h:] = 0
    for first in range(0, filled, ROWS):
        for f in range(0, k, ROWS):
            for j in range(ROWS):
                c = np.float64(weight[min(first + j, h - 1)])
                for i in range(ROWS):
                    parts[i, j] = (1 - abs(c)) * left[first + j, f + i]
            take(system[f : f + ROWS], left[first : first + ROWS], f, parts)
    for row in range(h):
        left[row] *= max(np.float64(weight[row]), 0.0)
    stand(ground.items, listed, table.right)
    solve(system, table.right, parts)
    shares.reach[:n] = 0
    for f in range(k):
        for at in range(n):
            q = table.right[f, at]
            shares.rough_right[f, at] = q
            shares.reach[at] += q * q
    shares.reach[:n] = np.sqrt(shares.reach[:n])


@compiled
def doubted(weight: Single) -> int:
    """Return how many items of a history count for less than one that was never seen."""
    n = 0
    for c in weight:
        n += int(abs(c) < 1)
    return n


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
    k, shares = ground.items.shape[1], table.shares
    for r in range(len(lengths)):
        n, h = lengths[r], history_from[r + 1] - history_from[r]
        if n == 0 or h == 0:
            continue
        mine = history[history_from[r] : history_from[r + 1]]
        weight = confidence[history_from[r] : history_from[r + 1]]
        short = h <= k and doubted(weight) == 0
        if short:
            short_form(mine, weight, listed[r, :n], ground, table)
        else:
            long_form(mine, weight, listed[r, :n], ground, table)
        longest = longest_row(h, shares)
        multiply(h, shares)
        two_largest(h, shares)
        for at in range(n):
            best, margin = shares.best[at], margin_of(at, longest, shares)
            row = shares.chosen[at]
            if not (best - shares.second[at] > margin and best > margin):
                for f in range(k):
                    table.exact[f] = ground.items[listed[r, at], f] if short else table.right[f, at]
                row = settle(h, at, best - margin, table.exact, shares)
            if row >= 0:
                out[r, at] = mine[row]
