"""Compiled: from the products of a team of users with a block of items to candidates."""

import numpy as np

from tasks.io.jit import Positions, bare
from tasks.recommend._jit.int16_dot import TEAM, WORD, hits, products, trailing_zeros
from tasks.recommend._jit.item_blocks import Crowd, Stock
from tasks.recommend._jit.search_state import Desk, Rules
from tasks.recommend._jit.threshold import settle

#: Halvings of the range in which the first candidates are sought.
_HALVINGS = 16
#: What no product comes down to, and what none is above.
_LOWEST, _HIGHEST = -(2**31), 2**31 - 1


@bare
def bar_of(u: int, b: int, crowd: Crowd, stock: Stock, desk: Desk) -> np.int32:
    """Return what user u's products with the items of block b must be above to matter.

    That is the bar less what rounding to whole numbers may take away, in units of both.
    """
    whole, unit = crowd.whole, crowd.whole.units[u] * stock.units[b]
    lost = whole.errors[u] * stock.longest[b] + whole.lengths[u] * stock.errors[b]
    least = np.floor((desk.bar[u] - lost) / unit) - 1
    return np.int32(min(max(least, _LOWEST), _HIGHEST))


@bare
def add_fresh(u: int, place: int, crowd: Crowd, stock: Stock, desk: Desk, rules: Rules) -> bool:
    """Take on a candidate; return whether the threshold may have risen."""
    desk.fresh[u, desk.n_fresh[u]] = place
    desk.n_fresh[u] += 1
    if desk.n_fresh[u] < desk.fresh.shape[1]:
        return False
    settle(u, crowd, stock, desk, rules)
    return True


@bare
def hide_seen(u: int, row: Positions, crowd: Crowd, desk: Desk) -> None:
    """Put the lowest where user u has seen a place of the first block."""
    at, end = desk.cursor[u], crowd.seen_from[u + 1]
    while at < end and crowd.seen[at] < len(row):
        if crowd.seen[at] >= 0:
            row[crowd.seen[at]] = _LOWEST
        at += 1
    desk.cursor[u] = at


@bare
def has_seen(u: int, place: int, crowd: Crowd, desk: Desk) -> bool:
    """Tell whether user u has seen a place; they are asked in order."""
    at, end = desk.cursor[u], crowd.seen_from[u + 1]
    while at < end and crowd.seen[at] < place:
        at += 1
    desk.cursor[u] = at
    return bool(at < end and crowd.seen[at] == place)


@bare
def first_look(
    u: int, row: Positions, crowd: Crowd, stock: Stock, desk: Desk, rules: Rules
) -> None:
    """Begin with the best of the first block's products, so that few of the others pass.

    Halves the range of products until a list's worth and a few more pass; takes those out of the
    row. Where ties allow no such level, nothing is taken.
    """
    low: int = _HIGHEST
    high: int = _LOWEST
    for product in row:
        low = min(low, int(product) if product > _LOWEST else low)
        high = max(high, int(product))
    n, level = np.int32(0), np.int32(0)
    for _ in range(_HALVINGS):
        n, level = np.int32(0), np.int32((low + high) // 2)
        for product in row:
            n = np.int32(n + (product >= level))  # in 32 bits it runs in vectors twice as wide
        if n > desk.fresh.shape[1]:
            low = int(level)
        elif n < rules.n * 6 // 5:
            high = int(level)
        else:
            break
    if 0 < n <= desk.fresh.shape[1]:
        for at in range(len(row)):
            if row[at] >= level:
                desk.fresh[u, desk.n_fresh[u]] = at
                desk.n_fresh[u] += 1
                row[at] = _LOWEST
        settle(u, crowd, stock, desk, rules)


@bare
def scan_head(n: int, crowd: Crowd, stock: Stock, desk: Desk, rules: Rules) -> None:
    """Take on the candidates of the first block for the first `n` of the team."""
    for word in range(stock.words[1]):
        products(crowd.whole.numbers, desk.team, stock.numbers, word, desk.head)
    for t in range(n):
        u, row = desk.team[t], desk.head[t, : stock.starts[1]]
        hide_seen(u, row, crowd, desk)
        first_look(u, row, crowd, stock, desk, rules)
        bar = bar_of(u, 0, crowd, stock, desk)
        for at in range(len(row)):
            if row[at] > bar and add_fresh(u, at, crowd, stock, desk, rules):
                bar = bar_of(u, 0, crowd, stock, desk)


@bare
def scan(n: int, b: int, crowd: Crowd, stock: Stock, desk: Desk, rules: Rules) -> None:
    """Take on the candidates of block b for the first `n` of the team."""
    for t in range(TEAM):
        desk.bars[t] = bar_of(desk.team[t], b, crowd, stock, desk)
    for word in range(stock.words[b], stock.words[b + 1]):
        hits(crowd.whole.numbers, desk.team, stock.numbers, word, desk.bars, desk.hits)
        first = stock.starts[b] + WORD * (word - stock.words[b])
        for t in range(n):
            left, u = desk.hits[t], desk.team[t]
            while left:
                place = first + trailing_zeros(left)
                left &= left - np.uint64(1)
                if place >= stock.starts[b + 1]:
                    break
                if has_seen(u, place, crowd, desk):
                    continue
                if add_fresh(u, place, crowd, stock, desk, rules):
                    desk.bars[t] = bar_of(u, b, crowd, stock, desk)
