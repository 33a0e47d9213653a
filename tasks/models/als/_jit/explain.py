"""Compiled: which item of a user's history adds most to the score of each item listed."""

from tasks.io.jit import Positions, Single, bare
from tasks.models.als._jit.forms import Ground, Table, long_form, short_form
from tasks.models.als._jit.gather import fetch
from tasks.models.als._jit.shares import longest_row, margin_of, multiply, settle


@bare
def doubted(weight: Single) -> int:
    """Return how many items of a history count for less than one that was never seen."""
    n = 0
    for c in weight:
        n += int(abs(c) < 1)
    return n


@bare
def because(
    mine: Positions,
    weight: Single,
    listed: Positions,
    ground: Ground,
    table: Table,
    out: Positions,
) -> None:
    """Find for each item listed the item of one user's history that adds most to its score.

    `out` stays as it is where nothing adds.
    """
    h, k, shares = len(mine), ground.items.shape[1], table.shares
    short = h <= k and doubted(weight) == 0
    if short:
        short_form(mine, weight, listed, ground, table)
    else:
        long_form(mine, weight, listed, ground, table)
    longest = longest_row(h, shares)
    multiply(h, shares)
    for at in range(len(listed)):
        best, margin = shares.best[at], margin_of(at, longest, shares)
        row = shares.chosen[at]
        if not (best - shares.second[at] > margin and best > margin):
            for f in range(k):
                table.exact[f] = ground.items[listed[at], f] if short else table.right[f, at]
            row = settle(h, at, best - margin, table.exact, shares)
        if row >= 0:
            out[at] = mine[row]


@bare
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
    """Find the reasons of one user after another; the rows of the next are on their way."""
    k = ground.items.shape[1]
    for r in range(len(lengths)):
        first, end, n = history_from[r], history_from[r + 1], lengths[r]
        if r + 1 < len(lengths):
            fetch(ground.rough, listed[r + 1, : lengths[r + 1]])
            fetch(ground.items, history[end : min(history_from[r + 2], end + k)])
        if n > 0 and end > first:
            mine, weight = history[first:end], confidence[first:end]
            because(mine, weight, listed[r, :n], ground, table, out[r, :n])
