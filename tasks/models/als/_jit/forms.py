"""Compiled: two ways to the shares of a user's history in the scores of what is listed.

The score of j is the sum over liked i of c_i y_i' W^-1 y_j, W = A + sum of (|c| - 1) y y' over all
of the history, A = Y'Y + reg I (Hu, Koren and Volinsky 2008, section 5). With A = L L' and
Z = Y L'^-1, made once for all users, that is c_i z_i' (I + Z_h' D Z_h)^-1 z_j, D = |c| - 1. For h
items of history and n listed ones the shares are P Q', and there are two ways to have P and Q:

- short histories: P = C D^-1 (D^-1 + Z_h Z_h')^-1 Z_h, and Q = Z_n: a system of h x h (Woodbury);
  scaled by the root of D, which changes nothing in elimination, it has eigenvalues from 1 up;
- long ones: P = C Z_h, Q = Z_n (I + Z_h' D Z_h)^-1: a system of k x k.

An item disliked (c < 0) shapes the system and adds nothing: its preference is 0, and so is its row
of P. Systems are filled up to whole blocks with the last item again, weighing next to nothing.
"""

from typing import NamedTuple

import numpy as np

from tasks.io.jit import Double, Positions, Single, bare
from tasks.models.als._jit.gather import copy, fetch, stand
from tasks.models.als._jit.largest import LANES
from tasks.models.als._jit.products import ROWS, add_turned, fill
from tasks.models.als._jit.shares import Shares, open_shares
from tasks.models.als._jit.solve import solve
from tasks.models.als._jit.vectors import aligned

#: What |c| is taken to be above 1 at least. As A is more than any y y', W changes by less than
#: this part of itself for each item of the history.
_LEAST = 2.0**-100


class Ground(NamedTuple):
    """What users share: Z (m x k), the same in float32, and the length of each row of it (m).

    k is a multiple of 16: columns of zeros do no harm.
    """

    items: Double
    rough: Single
    lengths: Double


def open_ground(eased: Double) -> Ground:
    """Prepare Z, given Z' (k x m, any k)."""
    k, m = eased.shape
    ground = aligned(m, -(-k // LANES) * LANES)
    ground[:, :k] = eased.T
    rough = aligned(*ground.shape, kind=np.float32)
    rough[:] = ground
    return Ground(ground, rough, np.linalg.norm(ground, axis=1))


class Table(NamedTuple):
    """Scratch for one user at a time.

    - `system`, `block`: a system (h x h or k x k), and a block of it (4 x 4);
    - `stood`, `more`: items of the history as columns, or some of them as rows times D;
    - `right`, `exact`: the Q' of a long history, and one row of Q.
    """

    system: Double
    block: Double
    stood: Double
    more: Double
    right: Double
    exact: Double
    shares: Shares


def open_table(longest: int, n: int, k: int) -> Table:
    """Allocate for histories of up to `longest` items and lists of up to n."""
    shares = open_shares(longest, n, k)
    return Table(
        system=aligned(k * k),
        block=aligned(ROWS, ROWS),
        stood=aligned(k * k),
        more=aligned(LANES, k),
        right=aligned(k, shares.rough.shape[1]),
        exact=aligned(k),
        shares=shares,
    )


@bare
def short_form(
    mine: Positions, weight: Single, listed: Positions, ground: Ground, table: Table
) -> None:
    """Fill P and the rough Q for at most k items of history, each |c| at least 1."""
    h, k = len(mine), ground.items.shape[1]
    filled, width = -(-h // ROWS) * ROWS, -(-h // LANES) * LANES
    shares, left = table.shares, table.shares.left
    system = table.system[: filled * filled].reshape(filled, filled)
    stood = table.stood[: k * width].reshape(k, width)
    stand(ground.items, mine, stood)
    copy(ground.items, mine, left[:filled])
    for row in range(0, filled, ROWS):
        fill(system, row, row, filled, left, row, 0, stood, 0, k)
    for row in range(filled):
        more = abs(np.float64(weight[row])) - 1 if row < h else 0.0
        system[row, row] += 1 / max(more, _LEAST)
    solve(system, left[:filled], table.block)
    for row in range(h):
        c = np.float64(weight[row])
        scale = max(c, 0.0) / max(abs(c) - 1, _LEAST)
        for f in range(k):
            left[row, f] *= scale
    stand(ground.rough, listed, shares.rough_right)
    for at in range(len(listed)):
        shares.reach[at] = ground.lengths[listed[at]]


@bare
def system_of(
    mine: Positions, weight: Single, ground: Ground, table: Table, system: Double
) -> None:
    """Fill `system` with I + Z_h' D Z_h (k x k), from the diagonal on; Z_h goes to `left`."""
    h, k = len(mine), ground.items.shape[1]
    left, more = table.shares.left, table.more
    system[:] = 0
    for f in range(k):
        system[f, f] = 1
    for first in range(0, h, len(more)):
        n = min(len(more), h - first)
        fetch(ground.items, mine[first + n : first + 2 * n])
        copy(ground.items, mine[first : first + n], left[first : first + n])
        for i in range(n):
            d = abs(np.float64(weight[first + i])) - 1
            for f in range(k):
                more[i, f] = d * left[first + i, f]
        for f in range(0, k, ROWS):
            add_turned(system, f, f, k, left, first, f, more, 0, n)


@bare
def long_form(
    mine: Positions, weight: Single, listed: Positions, ground: Ground, table: Table
) -> None:
    """Fill P, Q' and the rough Q for any history."""
    h, n, k = len(mine), len(listed), ground.items.shape[1]
    shares = table.shares
    system = table.system.reshape(k, k)
    system_of(mine, weight, ground, table, system)
    for row in range(h):
        c = max(np.float64(weight[row]), 0.0)
        for f in range(k):
            shares.left[row, f] *= c
    stand(ground.items, listed, table.right)
    solve(system, table.right, table.block)
    shares.reach[:n] = 0
    for f in range(k):
        for at in range(n):
            q = table.right[f, at]
            shares.rough_right[f, at] = q
            shares.reach[at] += q * q
    for at in range(n):
        shares.reach[at] = np.sqrt(shares.reach[at])
